// Why raffles are cancelled by themselves: what an operator writes is quoted as it is, this is translated.
import type { Facts } from "./catalogue.ts";
import { stopped } from "./say.ts";

export const reasons = {
  minimum_not_reached: {
    en: "Fewer tickets were sold than its minimum.",
    es: "Se vendieron menos boletos que el mínimo.",
    it: "Sono stati venduti meno biglietti del minimo.",
  },
  number_not_sold: {
    en: "Nobody had the number that the official lottery drew.",
    es: "Nadie tenía el número que salió en la lotería oficial.",
    it: "Nessuno aveva il numero estratto dalla lotteria ufficiale.",
  },
};

export const reasonIn = (
  language: "en" | "es" | "it",
  { code, reason }: Facts<"raffle_cancelled">,
): string => code ? reasons[code][language] : stopped(reason);
