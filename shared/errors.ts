// THE catalogue: every code the API can answer with, its HTTP status, and what it means to a person.
// Codes are for programs and never change; messages are for people. SQL raises the same codes
// (app.error_codes); a test holds the two against each other.

export const catalogue = {
  json_invalid: {
    status: 400,
    en: "The body is not valid JSON.",
    es: "El cuerpo no es JSON válido.",
    it: "Il corpo non è JSON valido.",
  },
  idempotency_key_required: {
    status: 400,
    en: "This request needs an Idempotency-Key header of 1 to 255 characters.",
    es: "Esta petición necesita una cabecera Idempotency-Key de 1 a 255 caracteres.",
    it: "Questa richiesta richiede un'intestazione Idempotency-Key da 1 a 255 caratteri.",
  },
  signature_invalid: {
    status: 400,
    en: "The signature is not valid.",
    es: "La firma no es válida.",
    it: "La firma non è valida.",
  },
  not_authenticated: {
    status: 401,
    en: "Please sign in.",
    es: "Inicia sesión.",
    it: "Effettua l'accesso.",
  },
  balance_insufficient: {
    status: 402,
    en: "There is not enough money in the wallet.",
    es: "No hay saldo suficiente en el monedero.",
    it: "Il saldo del portafoglio non è sufficiente.",
  },
  card_declined: {
    status: 402,
    en: "The card was declined.",
    es: "La tarjeta fue rechazada.",
    it: "La carta è stata rifiutata.",
  },
  not_permitted: {
    status: 403,
    en: "You may not do this.",
    es: "No tienes permiso para hacer esto.",
    it: "Non hai il permesso di farlo.",
  },
  account_suspended: {
    status: 403,
    en: "This account is not active.",
    es: "Esta cuenta no está activa.",
    it: "Questo account non è attivo.",
  },
  email_unverified: {
    status: 403,
    en: "Please confirm your e-mail address first.",
    es: "Confirma primero tu dirección de correo.",
    it: "Conferma prima il tuo indirizzo e-mail.",
  },
  wallet_suspended: {
    status: 403,
    en: "This wallet is suspended. Please contact us.",
    es: "Este monedero está suspendido. Contacta con nosotros.",
    it: "Questo portafoglio è sospeso. Contattaci.",
  },
  self_excluded: {
    status: 403,
    en: "You have excluded yourself from play.",
    es: "Te has autoexcluido del juego.",
    it: "Ti sei autoescluso dal gioco.",
  },
  age_restricted: {
    status: 403,
    en: "You must be of age to play, and your birth date must be known.",
    es: "Debes ser mayor de edad para jugar y debemos conocer tu fecha de nacimiento.",
    it: "Devi essere maggiorenne per giocare e dobbiamo conoscere la tua data di nascita.",
  },
  spend_limit_reached: {
    status: 403,
    en: "This is more than the spending limit you set.",
    es: "Supera el límite de gasto que fijaste.",
    it: "Supera il limite di spesa che hai impostato.",
  },
  deposit_limit_reached: {
    status: 403,
    en: "This is more than the deposit limit you set.",
    es: "Supera el límite de depósito que fijaste.",
    it: "Supera il limite di deposito che hai impostato.",
  },
  kyc_required: {
    status: 403,
    en: "Please have your identity verified first.",
    es: "Primero debes verificar tu identidad.",
    it: "Devi prima verificare la tua identità.",
  },
  payout_account_missing: {
    status: 403,
    en: "There is no account to pay out to yet.",
    es: "Todavía no hay una cuenta a la que pagar.",
    it: "Non c'è ancora un conto su cui pagare.",
  },
  route_not_found: {
    status: 404,
    en: "There is nothing at this address.",
    es: "No hay nada en esta dirección.",
    it: "Non c'è nulla a questo indirizzo.",
  },
  user_not_found: {
    status: 404,
    en: "There is no such user.",
    es: "No existe ese usuario.",
    it: "Questo utente non esiste.",
  },
  card_not_found: {
    status: 404,
    en: "There is no such saved card.",
    es: "No existe esa tarjeta guardada.",
    it: "Questa carta salvata non esiste.",
  },
  purchase_not_found: {
    status: 404,
    en: "There is no such purchase.",
    es: "No existe esa compra.",
    it: "Questo acquisto non esiste.",
  },
  ticket_not_found: {
    status: 404,
    en: "There is no such ticket of yours.",
    es: "No tienes ese boleto.",
    it: "Non hai questo biglietto.",
  },
  raffle_not_found: {
    status: 404,
    en: "There is no such raffle.",
    es: "No existe ese sorteo.",
    it: "Questa lotteria non esiste.",
  },
  notification_not_found: {
    status: 404,
    en: "There is no such notification that was given up.",
    es: "No existe esa notificación descartada.",
    it: "Non esiste questa notifica abbandonata.",
  },
  topup_not_found: {
    status: 404,
    en: "There is no such top-up.",
    es: "No existe esa recarga.",
    it: "Questa ricarica non esiste.",
  },
  withdrawal_not_found: {
    status: 404,
    en: "There is no such withdrawal.",
    es: "No existe esa retirada.",
    it: "Questo prelievo non esiste.",
  },
  transaction_not_found: {
    status: 404,
    en: "There is no such transaction.",
    es: "No existe esa transacción.",
    it: "Questa transazione non esiste.",
  },
  alert_not_found: {
    status: 404,
    en: "There is no such open alert.",
    es: "No existe esa alerta abierta.",
    it: "Questo avviso aperto non esiste.",
  },
  setting_not_found: {
    status: 404,
    en: "There is no such setting.",
    es: "No existe ese ajuste.",
    it: "Questa impostazione non esiste.",
  },
  method_not_allowed: {
    status: 405,
    en: "This address does not take that method.",
    es: "Esta dirección no admite ese método.",
    it: "Questo indirizzo non accetta quel metodo.",
  },
  birth_date_locked: {
    status: 409,
    en: "A birth date that is set can only be changed by our staff.",
    es: "Una fecha de nacimiento ya indicada solo puede cambiarla nuestro equipo.",
    it: "Una data di nascita già impostata può essere modificata solo dal nostro staff.",
  },
  self_exclusion_locked: {
    status: 409,
    en: "A self-exclusion cannot be shortened.",
    es: "Una autoexclusión no se puede acortar.",
    it: "Un'autoesclusione non può essere abbreviata.",
  },
  admin_exists: {
    status: 409,
    en: "There is an admin already.",
    es: "Ya existe un administrador.",
    it: "Esiste già un amministratore.",
  },
  last_admin: {
    status: 409,
    en: "The last admin must stay.",
    es: "El último administrador debe permanecer.",
    it: "L'ultimo amministratore deve restare.",
  },
  state_change_refused: {
    status: 409,
    en: "That change of state is not allowed.",
    es: "Ese cambio de estado no está permitido.",
    it: "Questo cambio di stato non è consentito.",
  },
  raffle_not_draft: {
    status: 409,
    en: "This raffle has already been published.",
    es: "Este sorteo ya está publicado.",
    it: "Questa lotteria è già pubblicata.",
  },
  raffle_terms_frozen: {
    status: 409,
    en: "The terms of this raffle can no longer be changed.",
    es: "Los términos de este sorteo ya no se pueden cambiar.",
    it: "I termini di questa lotteria non si possono più cambiare.",
  },
  prize_out_of_stock: {
    status: 409,
    en: "There are not enough of this prize left.",
    es: "No quedan suficientes unidades de este premio.",
    it: "Non restano abbastanza unità di questo premio.",
  },
  prize_frozen: {
    status: 409,
    en: "Tickets have been sold for this prize; what it is can no longer be changed.",
    es: "Ya se han vendido boletos para este premio; ya no se puede cambiar lo que es.",
    it: "Sono già stati venduti biglietti per questo premio; non si può più cambiare ciò che è.",
  },
  raffle_not_open: {
    status: 409,
    en: "This raffle is not open.",
    es: "Este sorteo no está abierto.",
    it: "Questa lotteria non è aperta.",
  },
  raffle_not_sealed: {
    status: 409,
    en: "This raffle has not been sealed yet.",
    es: "Este sorteo todavía no se ha sellado.",
    it: "Questa lotteria non è ancora stata sigillata.",
  },
  lottery_not_found: {
    status: 404,
    en: "There is no such lottery.",
    es: "Esta lotería no existe.",
    it: "Questa lotteria ufficiale non esiste.",
  },
  lottery_date_in_use: {
    status: 409,
    en: "A raffle looks to this draw: its date cannot be changed.",
    es: "Un sorteo depende de esta fecha: no se puede cambiar.",
    it: "Una lotteria dipende da questa data: non si può cambiare.",
  },
  beacon_invalid: {
    status: 422,
    en: "This is not the beacon that the raffle waits for.",
    es: "Esta no es la baliza que espera el sorteo.",
    it: "Questo non è il faro che la lotteria attende.",
  },
  prize_not_found: {
    status: 404,
    en: "There is no such prize of yours.",
    es: "No tienes ese premio.",
    it: "Non hai questo premio.",
  },
  prize_not_claimable: {
    status: 409,
    en: "This prize can no longer be claimed.",
    es: "Este premio ya no se puede reclamar.",
    it: "Questo premio non può più essere richiesto.",
  },
  prize_not_sendable: {
    status: 409,
    en: "The winner's wallet is suspended: nothing is sent until it is reinstated.",
    es: "La billetera del ganador está suspendida: no se envía nada hasta que se restablezca.",
    it:
      "Il portafoglio del vincitore è sospeso: non si spedisce nulla finché non viene ripristinato.",
  },
  raffle_sold_out: {
    status: 409,
    en: "There are not that many tickets left.",
    es: "No quedan tantos boletos.",
    it: "Non restano così tanti biglietti.",
  },
  ticket_limit_reached: {
    status: 409,
    en: "You have as many tickets of this raffle as one person may have.",
    es: "Ya tienes tantos boletos de este sorteo como puede tener una persona.",
    it: "Hai già tanti biglietti di questa lotteria quanti ne può avere una persona.",
  },
  number_taken: {
    status: 409,
    en: "Some of these numbers are taken.",
    es: "Algunos de estos números ya están ocupados.",
    it: "Alcuni di questi numeri sono già presi.",
  },
  boost_limit_reached: {
    status: 409,
    en: "This ticket cannot be boosted that often.",
    es: "Este boleto no admite tantos refuerzos.",
    it: "Questo biglietto non può essere potenziato così tante volte.",
  },
  retry_not_available: {
    status: 409,
    en: "This ticket cannot be retried.",
    es: "Este boleto no se puede reintentar.",
    it: "Questo biglietto non può essere ritentato.",
  },
  purchase_not_confirmed: {
    status: 409,
    en: "This purchase has not been paid yet.",
    es: "Esta compra aún no está pagada.",
    it: "Questo acquisto non è ancora stato pagato.",
  },
  purchase_already_redeemed: {
    status: 409,
    en: "This purchase has already been redeemed.",
    es: "Esta compra ya se ha canjeado.",
    it: "Questo acquisto è già stato riscattato.",
  },
  purchase_not_redeemable: {
    status: 409,
    en: "This purchase gives no tickets.",
    es: "Esta compra no da boletos.",
    it: "Questo acquisto non dà biglietti.",
  },
  raffle_not_cancellable: {
    status: 409,
    en: "This raffle can no longer be cancelled.",
    es: "Este sorteo ya no se puede cancelar.",
    it: "Questa lotteria non può più essere annullata.",
  },
  refund_not_available: {
    status: 409,
    en: "There is nothing to send back to a card.",
    es: "No hay nada que devolver a una tarjeta.",
    it: "Non c'è nulla da restituire su una carta.",
  },
  hold_not_active: {
    status: 409,
    en: "This hold has already ended.",
    es: "Esta retención ya ha terminado.",
    it: "Questo blocco è già terminato.",
  },
  transaction_already_reversed: {
    status: 409,
    en: "This transaction has already been reversed.",
    es: "Esta transacción ya se ha revertido.",
    it: "Questa transazione è già stata stornata.",
  },
  idempotency_key_reused: {
    status: 409,
    en: "This Idempotency-Key was used for another request.",
    es: "Esta Idempotency-Key ya se usó para otra petición.",
    it: "Questa Idempotency-Key è già stata usata per un'altra richiesta.",
  },
  request_in_progress: {
    status: 409,
    en: "The same request is still being worked on. Please try again shortly.",
    es: "La misma petición aún se está procesando. Inténtalo de nuevo en breve.",
    it: "La stessa richiesta è ancora in elaborazione. Riprova tra poco.",
  },
  body_too_large: {
    status: 413,
    en: "The body is too large.",
    es: "El cuerpo es demasiado grande.",
    it: "Il corpo è troppo grande.",
  },
  content_type_unsupported: {
    status: 415,
    en: "The body must be sent as application/json.",
    es: "El cuerpo debe enviarse como application/json.",
    it: "Il corpo deve essere inviato come application/json.",
  },
  request_invalid: {
    status: 422,
    en: "The request is not valid; the details say where.",
    es: "La petición no es válida; los detalles indican dónde.",
    it: "La richiesta non è valida; i dettagli indicano dove.",
  },
  raffle_terms_invalid: {
    status: 422,
    en: "The terms of this raffle have faults; the details say which.",
    es: "Los términos de este sorteo tienen errores; los detalles indican cuáles.",
    it: "I termini di questa lotteria hanno errori; i dettagli indicano quali.",
  },
  quantity_out_of_range: {
    status: 422,
    en: "This is not a quantity that can be bought at once.",
    es: "No es una cantidad que se pueda comprar de una vez.",
    it: "Non è una quantità acquistabile in una volta.",
  },
  currency_mismatch: {
    status: 422,
    en: "You have no wallet in the currency of this raffle.",
    es: "No tienes monedero en la moneda de este sorteo.",
    it: "Non hai un portafoglio nella valuta di questa lotteria.",
  },
  number_out_of_range: {
    status: 422,
    en: "Some of these numbers do not exist in this raffle, or were named twice.",
    es: "Algunos de estos números no existen en este sorteo o se repiten.",
    it: "Alcuni di questi numeri non esistono in questa lotteria o sono ripetuti.",
  },
  return_url_not_allowed: {
    status: 422,
    en: "The return address is not one we may send people to.",
    es: "La dirección de retorno no está permitida.",
    it: "L'indirizzo di ritorno non è consentito.",
  },
  rate_limited: {
    status: 429,
    en: "Too many requests. Please try again later.",
    es: "Demasiadas peticiones. Inténtalo más tarde.",
    it: "Troppe richieste. Riprova più tardi.",
  },
  internal_error: {
    status: 500,
    en: "Something went wrong on our side. Please tell us the request id.",
    es: "Algo ha fallado por nuestra parte. Indícanos el id de la petición.",
    it: "Qualcosa è andato storto da parte nostra. Comunicaci l'id della richiesta.",
  },
  payment_provider_unavailable: {
    status: 503,
    en: "The payment provider cannot be reached. Nothing is lost; please try again.",
    es:
      "No se puede contactar con el proveedor de pagos. No se ha perdido nada; inténtalo de nuevo.",
    it: "Il fornitore dei pagamenti non è raggiungibile. Nulla è andato perso; riprova.",
  },
  try_again: {
    status: 503,
    en: "We are busy right now. Please try again.",
    es: "Estamos ocupados en este momento. Inténtalo de nuevo.",
    it: "Siamo occupati in questo momento. Riprova.",
  },
} as const satisfies Record<string, { status: number } & Record<Language, string>>;

export const languages = ["en", "es", "it"] as const;
export type Language = (typeof languages)[number];
export type ErrorCode = keyof typeof catalogue;

/** A failure that the caller is told about by its code. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly details?: Record<string, unknown>,
    options?: ErrorOptions,
  ) {
    super(code, options);
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(catalogue, text);
}
