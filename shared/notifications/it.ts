// What people are told, in Italian.
import { catalogue as errors } from "../errors.ts";
import type { Texts } from "./catalogue.ts";
import { reasonIn } from "./reasons.ts";
import { counted, type Say, sentences, stopped } from "./say.ts";

const nouns = {
  ENTRY: ["biglietto", "biglietti", "di biglietti"],
  BOOST: ["potenziamento", "potenziamenti"],
  RETRY: ["nuovo tentativo", "nuovi tentativi"],
} as const;

const tickets = (count: number, say: Say) => counted(count, nouns.ENTRY, say);

/** The day with its article, which the eighth and the eleventh shorten: dal 7, dall'8. */
const on = (article: "il" | "del" | "dal" | "al", day: string) =>
  /^(8|11) /.test(day) ? `${article.replace("il", "")}l'${day}` : `${article} ${day}`;

const yourNumbers = (numbers: number[], say: Say) =>
  numbers.length > 0 &&
  `${numbers.length === 1 ? "Il tuo numero è" : "I tuoi numeri sono"} ${say.list(numbers)}.`;

const claimBy = (until: string, say: Say) =>
  sentences(
    `Hai tempo fino ${on("al", say.time(until))} per dirci dove inviare il premio.`,
    "Dopo passerà al posto successivo.",
  );

const periods = { day: "giornaliero", week: "settimanale", month: "mensile" };
const kinds = { spend: "limite di spesa", deposit: "limite di deposito" };

export const it: Texts = {
  welcome: (facts) => ({
    title: "Ti diamo il benvenuto",
    body: sentences(
      `Ciao${facts.name ? ` ${facts.name}` : ""}, il tuo account è pronto.`,
      "Puoi ricaricare il tuo portafoglio e comprare biglietti.",
      "Ogni lotteria viene sigillata prima dell'estrazione e chiunque può ricalcolare il risultato.",
    ),
  }),

  purchase_confirmed: (facts, say) => {
    const bought = counted(facts.quantity, nouns[facts.type], say);
    const paid = say.money(facts.amount, facts.currency);
    const how = facts.payment_method === "wallet" ? "con il tuo portafoglio" : "con carta";
    const yours = facts.quantity === 1 ? "c'è anche il tuo" : "ci sono anche i tuoi";
    return {
      title: `La tua ricevuta: ${bought}`,
      body: sentences(
        `Hai comprato ${bought} per «${facts.raffle_title}» e hai pagato ${paid} ${how} ${
          on("il", say.time(facts.confirmed_at))
        }.`,
        yourNumbers(facts.numbers, say),
        facts.numbers.length === 0 && !facts.ticket_root &&
          "Puoi riscattare questo acquisto finché la lotteria non chiude; dopo assegneremo noi i numeri.",
        facts.ticket_root &&
          `I biglietti di questa lotteria sono sigillati con la radice ${facts.ticket_root}, e tra questi ${yours}.`,
        `Riferimento dell'acquisto: ${facts.purchase_id}.`,
      ),
    };
  },

  purchase_failed: (facts, say) => {
    const what = tickets(facts.quantity, say);
    const price = say.money(facts.amount, facts.currency);
    const free = facts.quantity === 1
      ? "Il biglietto è di nuovo libero"
      : "I biglietti sono di nuovo liberi";
    return {
      title: "Il tuo acquisto non è andato a buon fine",
      body: facts.code === "raffle_cancelled"
        ? sentences(
          `La lotteria «${facts.raffle_title}» è stata annullata, quindi il tuo acquisto di ${what} (${price}) non è stato completato.`,
          "Non ti è stato addebitato nulla.",
        )
        : sentences(
          `Non siamo riusciti a completare il tuo acquisto di ${what} per «${facts.raffle_title}» (${price}).`,
          facts.code === "card_declined" && errors.card_declined.it,
          "Non ti è stato addebitato nulla.",
          `${free}: puoi riprovare finché ce ne sono.`,
        ),
    };
  },

  purchase_expired: (facts, say) => ({
    title: "La tua prenotazione è scaduta",
    body: sentences(
      `La tua prenotazione di ${tickets(facts.quantity, say)} per «${facts.raffle_title}» (${
        say.money(facts.amount, facts.currency)
      }) non è stata pagata in tempo ed è terminata.`,
      facts.code === "raffle_not_open"
        ? "La lotteria è chiusa: se il pagamento dovesse ancora arrivare, te lo restituiremo."
        : "Se il pagamento dovesse ancora arrivare, l'acquisto varrà finché restano biglietti; altrimenti te lo restituiremo.",
    ),
  }),

  purchase_refunded: (facts, say) => {
    const what = `${tickets(facts.quantity, say)} per «${facts.raffle_title}»`;
    const money = say.money(facts.amount, facts.currency);
    const gone = facts.numbers.length === 1
      ? ["Il numero", "non è più tuo e non partecipa"]
      : ["I numeri", "non sono più tuoi e non partecipano"];
    return {
      title: "Il tuo acquisto è stato rimborsato",
      body: sentences(
        facts.code === "paid_too_late"
          ? `Il tuo pagamento di ${what} è arrivato quando la prenotazione era già terminata e l'acquisto non era più possibile.`
          : `Il tuo acquisto di ${what} è stato rimborsato.`,
        facts.to === "card"
          ? `Abbiamo restituito ${money} alla tua carta; la tua banca può impiegare qualche giorno per mostrare l'accredito.`
          : `Abbiamo rimesso ${money} nel tuo portafoglio.`,
        facts.numbers.length > 0 &&
          `${gone[0]} ${say.list(facts.numbers)} ${gone[1]} all'estrazione.`,
      ),
    };
  },

  refund_to_wallet: (facts, say) => ({
    title: "Il tuo rimborso è nel portafoglio",
    body: sentences(
      `La tua carta non ha accettato il rimborso di ${
        say.money(facts.amount, facts.currency)
      } per il tuo acquisto di ${tickets(facts.quantity, say)} per «${facts.raffle_title}».`,
      "Abbiamo messo il denaro nel tuo portafoglio: puoi usarlo o prelevarlo.",
    ),
  }),

  topup_completed: (facts, say) => ({
    title: "La tua ricarica è arrivata",
    body: sentences(
      `Abbiamo aggiunto ${say.money(facts.amount, facts.currency)} al tuo portafoglio.`,
      `Riferimento della ricarica: ${facts.topup_id}.`,
    ),
  }),

  withdrawal_paid: (facts, say) => ({
    title: "Il tuo prelievo è stato pagato",
    body: sentences(
      `Abbiamo versato ${say.money(facts.amount, facts.currency)} sul tuo conto bancario.`,
      "La tua banca può impiegare qualche giorno per mostrare l'accredito.",
      `Riferimento del prelievo: ${facts.withdrawal_id}.`,
    ),
  }),

  withdrawal_failed: (facts, say) => ({
    title: "Il tuo prelievo non è riuscito",
    body: sentences(
      `Non siamo riusciti a pagare il tuo prelievo di ${
        say.money(facts.amount, facts.currency)
      }; il denaro è di nuovo nel tuo portafoglio.`,
      "Controlla i tuoi dati bancari prima di riprovare.",
      `Riferimento del prelievo: ${facts.withdrawal_id}.`,
    ),
  }),

  raffle_full: (facts, say) => ({
    title: "Biglietti esauriti",
    body: sentences(
      facts.tickets_required === 1
        ? `La lotteria «${facts.raffle_title}» ha venduto il suo unico biglietto.`
        : `La lotteria «${facts.raffle_title}» ha esaurito i suoi ${
          tickets(facts.tickets_required, say)
        }.`,
      "Ora verrà sigillata, perché i suoi biglietti non possano più cambiare, e poi estratta.",
    ),
  }),

  raffle_sealed: (facts, say) => ({
    title: "Conserva questo messaggio: lotteria sigillata",
    body: sentences(
      "Conserva questo messaggio: è il nostro impegno.",
      `La lotteria «${facts.raffle_title}» è sigillata con ${
        tickets(facts.ticket_count, say)
      } e la radice ${facts.ticket_root}.`,
      yourNumbers(facts.numbers, say),
      facts.round !== null &&
        `A decidere il risultato è il round ${facts.round} della catena drand${
          facts.chain_hash ? ` ${facts.chain_hash}` : ""
        }${
          facts.round_at ? `, che uscirà ${on("il", say.time(facts.round_at))}` : ""
        }; nessuno può conoscerlo prima.`,
      facts.lottery !== null &&
        `A decidere il risultato è l'estrazione ufficiale di «${facts.lottery}»${
          facts.lottery_draw_date ? ` ${on("del", say.date(facts.lottery_draw_date))}` : ""
        }.`,
    ),
  }),

  won: (facts, say) => {
    const wins = facts.wins.map((win) =>
      `${
        win.amount === null ? `«${facts.prize_title}»` : say.money(win.amount, facts.currency)
      } con il biglietto ${win.ticket_num} (posto ${win.place})`
    );
    const things = facts.wins.filter((win) => win.amount === null).length;
    return {
      title: "Hai vinto",
      body: sentences(
        `Hai vinto nella lotteria «${facts.raffle_title}»: ${say.list(wins)}.`,
        things < wins.length && "Il denaro è già nel tuo portafoglio.",
        things > 0 &&
          `Un altro messaggio ti spiega come richiedere ${
            things === 1 ? "il premio" : "ogni premio"
          }.`,
      ),
    };
  },

  not_won: (facts, say) => ({
    title: "La lotteria è stata estratta",
    body: sentences(
      `La lotteria «${facts.raffle_title}» è stata estratta e questa volta non hai vinto.`,
      facts.winning_numbers.length > 0 &&
        `${
          facts.winning_numbers.length === 1
            ? "Il primo posto è andato al numero"
            : "I primi posti sono andati ai numeri"
        } ${say.list(facts.winning_numbers)}.`,
      "Chiunque può ricalcolare l'estrazione con ciò che è pubblicato.",
      "Grazie per aver partecipato.",
    ),
  }),

  prize_to_claim: (facts, say) => ({
    title: "Richiedi il tuo premio",
    body: sentences(
      `Il tuo biglietto ${facts.ticket_num} ha ottenuto il posto ${facts.place} in «${facts.raffle_title}» e vince «${facts.prize_title}».`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_reminder: (facts, say) => ({
    title: "Il tuo premio ti aspetta ancora",
    body: sentences(
      `Non hai ancora richiesto il tuo premio: «${facts.prize_title}», vinto con il biglietto ${facts.ticket_num} in «${facts.raffle_title}» (posto ${facts.place}).`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_sent: (facts) => {
    const prize = `il tuo premio di «${facts.raffle_title}» (posto ${facts.place})`;
    // No full stop after the tracking: it may be an address to follow.
    const tracking = facts.tracking && `Tracciamento: ${facts.tracking}`;
    return facts.status === "SHIPPED"
      ? {
        title: "Il tuo premio è in viaggio",
        body: sentences(`Abbiamo spedito ${prize}: «${facts.prize_title}».`, tracking),
      }
      : {
        title: "Il tuo premio è stato consegnato",
        body: sentences(
          `È stato consegnato ${prize}: «${facts.prize_title}».`,
          "Se non l'hai ricevuto, faccelo sapere.",
          tracking,
        ),
      };
  },

  raffle_cancelled: (facts, say) => ({
    title: "Una lotteria è stata annullata",
    body: sentences(
      `La lotteria «${facts.raffle_title}» è stata annullata.`,
      `Motivo: ${reasonIn("it", facts)}`,
      `Tutto ciò che hai pagato, ${
        say.money(facts.amount, facts.currency)
      }, torna nel tuo portafoglio.`,
    ),
  }),

  limits_changed: (facts, say) => ({
    title: `Il tuo ${kinds[facts.kind]} è cambiato`,
    body: sentences(
      `Il tuo ${kinds[facts.kind]} ${periods[facts.period]} è ora di ${
        say.money(facts.amount, facts.currency)
      }.`,
      facts.pending_amount && facts.pending_from &&
        `A partire ${on("dal", say.time(facts.pending_from))} sarà di ${
          say.money(facts.pending_amount, facts.currency)
        }.`,
      "Se non l'hai chiesto tu, cambia la password e contattaci subito.",
    ),
  }),

  self_excluded: (facts, say) => ({
    title: "La tua autoesclusione è attiva",
    body: sentences(
      `Come hai chiesto, non puoi giocare fino ${on("al", say.time(facts.until))}.`,
      "Fino ad allora non puoi comprare biglietti né ricaricare il portafoglio; puoi comunque prelevare il tuo denaro e richiedere i tuoi premi.",
      "Un'autoesclusione non può essere abbreviata.",
    ),
  }),

  operator_alert: (facts) => ({
    title: `L'avviso ${facts.alert_id} richiede una persona`,
    body: sentences(
      `L'avviso ${facts.alert_id} è aperto: ${facts.kind}, su ${stopped(facts.subject)}`,
      "Una persona deve esaminarlo e risolverlo.",
    ),
  }),
};
