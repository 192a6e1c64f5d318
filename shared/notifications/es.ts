// What people are told, in Spanish.
import { catalogue as errors } from "../errors.ts";
import type { Texts } from "./catalogue.ts";
import { reasonIn } from "./reasons.ts";
import { counted, type Say, sentences, stopped } from "./say.ts";

const nouns = {
  ENTRY: ["boleto", "boletos", "de boletos"],
  BOOST: ["refuerzo", "refuerzos"],
  RETRY: ["reintento", "reintentos"],
} as const;

const tickets = (count: number, say: Say) => counted(count, nouns.ENTRY, say);

const yourNumbers = (numbers: number[], say: Say) =>
  numbers.length > 0 &&
  `${numbers.length === 1 ? "Tu número es el" : "Tus números son"} ${say.list(numbers)}.`;

const claimBy = (until: string, say: Say) =>
  sentences(
    `Tienes hasta el ${say.time(until)} para decirnos a dónde enviar el premio.`,
    "Después pasará al puesto siguiente.",
  );

const periods = { day: "diario", week: "semanal", month: "mensual" };
const kinds = { spend: "límite de gasto", deposit: "límite de depósito" };

export const es: Texts = {
  welcome: (facts) => ({
    title: "Te damos la bienvenida",
    body: sentences(
      `Hola${facts.name ? `, ${facts.name}` : ""}: tu cuenta está lista.`,
      "Ya puedes recargar tu monedero y comprar boletos.",
      "Cada sorteo se sella antes de celebrarse y cualquiera puede recalcular el resultado.",
    ),
  }),

  purchase_confirmed: (facts, say) => {
    const bought = counted(facts.quantity, nouns[facts.type], say);
    const paid = say.money(facts.amount, facts.currency);
    const how = facts.payment_method === "wallet" ? "con tu monedero" : "con tarjeta";
    const yours = facts.quantity === 1 ? "el tuyo está" : "los tuyos están";
    return {
      title: `Tu recibo: ${bought}`,
      body: sentences(
        `Has comprado ${bought} para «${facts.raffle_title}» y has pagado ${paid} ${how} el ${
          say.time(facts.confirmed_at)
        }.`,
        yourNumbers(facts.numbers, say),
        facts.numbers.length === 0 && !facts.ticket_root &&
          "Puedes canjear esta compra hasta que se cierre el sorteo; después asignaremos los números por ti.",
        facts.ticket_root &&
          `Los boletos de este sorteo están sellados con la raíz ${facts.ticket_root}, y ${yours} entre ellos.`,
        `Referencia de la compra: ${facts.purchase_id}.`,
      ),
    };
  },

  purchase_failed: (facts, say) => {
    const what = tickets(facts.quantity, say);
    const price = say.money(facts.amount, facts.currency);
    const free = facts.quantity === 1
      ? "El boleto vuelve a estar libre"
      : "Los boletos vuelven a estar libres";
    return {
      title: "Tu compra no se ha completado",
      body: facts.code === "raffle_cancelled"
        ? sentences(
          `El sorteo «${facts.raffle_title}» se canceló, así que tu compra de ${what} (${price}) no se ha completado.`,
          "No se te ha cobrado nada por ella.",
        )
        : sentences(
          `No hemos podido completar tu compra de ${what} para «${facts.raffle_title}» (${price}).`,
          facts.code === "card_declined" && errors.card_declined.es,
          "No se te ha cobrado nada por ella.",
          `${free}: puedes intentarlo de nuevo mientras queden.`,
        ),
    };
  },

  purchase_expired: (facts, say) => ({
    title: "Tu reserva ha caducado",
    body: sentences(
      `Tu reserva de ${tickets(facts.quantity, say)} para «${facts.raffle_title}» (${
        say.money(facts.amount, facts.currency)
      }) no se pagó a tiempo y ha terminado.`,
      facts.code === "raffle_not_open"
        ? "El sorteo está cerrado: si el pago aún llega, te lo devolveremos."
        : "Si el pago aún llega, la compra valdrá mientras queden boletos; si no, te lo devolveremos.",
    ),
  }),

  purchase_refunded: (facts, say) => {
    const what = `${tickets(facts.quantity, say)} para «${facts.raffle_title}»`;
    const money = say.money(facts.amount, facts.currency);
    const gone = facts.numbers.length === 1
      ? ["El número", "ya no es tuyo y no participa"]
      : ["Los números", "ya no son tuyos y no participan"];
    return {
      title: "Te hemos devuelto una compra",
      body: sentences(
        facts.code === "paid_too_late"
          ? `Tu pago de ${what} llegó cuando la reserva ya había terminado y la compra ya no era posible.`
          : `Te hemos devuelto tu compra de ${what}.`,
        facts.to === "card"
          ? `Hemos enviado ${money} de vuelta a tu tarjeta; tu banco puede tardar unos días en mostrarlo.`
          : `Hemos puesto ${money} de vuelta en tu monedero.`,
        facts.numbers.length > 0 &&
          `${gone[0]} ${say.list(facts.numbers)} ${gone[1]} en el sorteo.`,
      ),
    };
  },

  refund_to_wallet: (facts, say) => ({
    title: "Tu devolución está en tu monedero",
    body: sentences(
      `Tu tarjeta no aceptó la devolución de ${
        say.money(facts.amount, facts.currency)
      } por tu compra de ${tickets(facts.quantity, say)} para «${facts.raffle_title}».`,
      "Hemos puesto el dinero en tu monedero: puedes usarlo o retirarlo.",
    ),
  }),

  topup_completed: (facts, say) => ({
    title: "Tu recarga ha llegado",
    body: sentences(
      `Hemos añadido ${say.money(facts.amount, facts.currency)} a tu monedero.`,
      `Referencia de la recarga: ${facts.topup_id}.`,
    ),
  }),

  withdrawal_paid: (facts, say) => ({
    title: "Tu retirada está pagada",
    body: sentences(
      `Hemos pagado ${say.money(facts.amount, facts.currency)} en tu cuenta bancaria.`,
      "Tu banco puede tardar unos días en mostrarlo.",
      `Referencia de la retirada: ${facts.withdrawal_id}.`,
    ),
  }),

  withdrawal_failed: (facts, say) => ({
    title: "Tu retirada no se ha podido pagar",
    body: sentences(
      `No hemos podido pagar tu retirada de ${
        say.money(facts.amount, facts.currency)
      }; el dinero está de nuevo en tu monedero.`,
      "Comprueba tus datos bancarios antes de volver a intentarlo.",
      `Referencia de la retirada: ${facts.withdrawal_id}.`,
    ),
  }),

  raffle_full: (facts, say) => ({
    title: "Boletos agotados",
    body: sentences(
      facts.tickets_required === 1
        ? `Se ha vendido el único boleto de «${facts.raffle_title}».`
        : `Se han vendido los ${tickets(facts.tickets_required, say)} de «${facts.raffle_title}».`,
      "Ahora el sorteo se sellará, para que sus boletos ya no puedan cambiar, y después se celebrará.",
    ),
  }),

  raffle_sealed: (facts, say) => ({
    title: "Guarda este mensaje: tu sorteo está sellado",
    body: sentences(
      "Guarda este mensaje: es nuestro compromiso.",
      `El sorteo «${facts.raffle_title}» está sellado con ${
        tickets(facts.ticket_count, say)
      } y la raíz ${facts.ticket_root}.`,
      yourNumbers(facts.numbers, say),
      facts.round !== null &&
        `El resultado lo decide la ronda ${facts.round} de la cadena drand${
          facts.chain_hash ? ` ${facts.chain_hash}` : ""
        }${
          facts.round_at ? `, que saldrá el ${say.time(facts.round_at)}` : ""
        }; nadie puede conocerla antes.`,
      facts.lottery !== null &&
        `El resultado lo decide el sorteo oficial de «${facts.lottery}»${
          facts.lottery_draw_date ? ` del ${say.date(facts.lottery_draw_date)}` : ""
        }.`,
    ),
  }),

  won: (facts, say) => {
    const wins = facts.wins.map((win) =>
      `${
        win.amount === null ? `«${facts.prize_title}»` : say.money(win.amount, facts.currency)
      } con el boleto ${win.ticket_num} (puesto ${win.place})`
    );
    const things = facts.wins.filter((win) => win.amount === null).length;
    return {
      title: "Has ganado",
      body: sentences(
        `Has ganado en «${facts.raffle_title}»: ${say.list(wins)}.`,
        things < wins.length && "El dinero ya está en tu monedero.",
        things > 0 &&
          `En otro mensaje te contamos cómo reclamar ${
            things === 1 ? "el premio" : "cada premio"
          }.`,
      ),
    };
  },

  not_won: (facts, say) => ({
    title: "El sorteo se ha celebrado",
    body: sentences(
      `El sorteo «${facts.raffle_title}» ya se ha celebrado y esta vez no has ganado.`,
      facts.winning_numbers.length > 0 &&
        `${
          facts.winning_numbers.length === 1
            ? "El primer puesto fue para el número"
            : "Los primeros puestos fueron para los números"
        } ${say.list(facts.winning_numbers)}.`,
      "Cualquiera puede recalcular el resultado con lo que está publicado.",
      "Gracias por participar.",
    ),
  }),

  prize_to_claim: (facts, say) => ({
    title: "Reclama tu premio",
    body: sentences(
      `Tu boleto ${facts.ticket_num} ha quedado en el puesto ${facts.place} de «${facts.raffle_title}» y gana «${facts.prize_title}».`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_reminder: (facts, say) => ({
    title: "Tu premio te sigue esperando",
    body: sentences(
      `Aún no has reclamado tu premio: «${facts.prize_title}», ganado con el boleto ${facts.ticket_num} en «${facts.raffle_title}» (puesto ${facts.place}).`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_sent: (facts) => {
    const prize = `tu premio de «${facts.raffle_title}» (puesto ${facts.place})`;
    // No full stop after the tracking: it may be an address to follow.
    const tracking = facts.tracking && `Seguimiento: ${facts.tracking}`;
    return facts.status === "SHIPPED"
      ? {
        title: "Tu premio está en camino",
        body: sentences(`Hemos enviado ${prize}: «${facts.prize_title}».`, tracking),
      }
      : {
        title: "Tu premio se ha entregado",
        body: sentences(
          `Se ha entregado ${prize}: «${facts.prize_title}».`,
          "Si no lo tienes, dínoslo.",
          tracking,
        ),
      };
  },

  raffle_cancelled: (facts, say) => ({
    title: "Se ha cancelado un sorteo",
    body: sentences(
      `El sorteo «${facts.raffle_title}» se ha cancelado.`,
      `Motivo: ${reasonIn("es", facts)}`,
      `Todo lo que pagaste, ${say.money(facts.amount, facts.currency)}, vuelve a tu monedero.`,
    ),
  }),

  limits_changed: (facts, say) => ({
    title: `Tu ${kinds[facts.kind]} ha cambiado`,
    body: sentences(
      `Tu ${kinds[facts.kind]} ${periods[facts.period]} es ahora de ${
        say.money(facts.amount, facts.currency)
      }.`,
      facts.pending_amount && facts.pending_from &&
        `A partir del ${say.time(facts.pending_from)} será de ${
          say.money(facts.pending_amount, facts.currency)
        }.`,
      "Si no has sido tú, cambia tu contraseña y contacta con nosotros enseguida.",
    ),
  }),

  self_excluded: (facts, say) => ({
    title: "Tu autoexclusión está activa",
    body: sentences(
      `Como has pedido, no puedes jugar hasta el ${say.time(facts.until)}.`,
      "Hasta entonces no puedes comprar boletos ni recargar tu monedero; sí puedes retirar tu dinero y reclamar tus premios.",
      "Una autoexclusión no se puede acortar.",
    ),
  }),

  operator_alert: (facts) => ({
    title: `La alerta ${facts.alert_id} necesita a una persona`,
    body: sentences(
      `La alerta ${facts.alert_id} está abierta: ${facts.kind}, sobre ${stopped(facts.subject)}`,
      "Una persona debe revisarla y resolverla.",
    ),
  }),
};
