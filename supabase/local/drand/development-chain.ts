/**
 * The development chain. Its secret key is published here on purpose: anybody can compute every
 * round of it, past and future, so a local draw can be recomputed with no network and must never
 * decide anything of worth.
 *
 * DEVELOPMENT_SECRET_KEY = SHA256("rafflebase local drand development key")
 *
 * With the defaults below the chain is always
 *   hash        5499b42b8900d4986ad0a58a96a9987ec486ce1aa686c47bad3cafbb4da34c19
 *   public key  81464c3bb0dd714f8beda1d7644429432f1ff0008628cbed66440dfcc61b2fd2
 *               12fd9fde3d8ae07c9b132ab791b5e78017a18d855421449bc4a2b2483f51580c
 *               7e2462fe000bd42bfe85d8ff97ec2e5982a362fe1fb73777cbf867266d730273
 *   groupHash   fece44844300d6ae6907b7b46ef8ca8d3ed1bb239132edb75acaa887f5480bf1
 *               (SHA256 of the beacon id)
 */
export const DEVELOPMENT_SECRET_KEY =
  "50439e2618e49a995f06f3378549d3e79c88cf01bbc547f0c0e80653c034abc7";

/** Signs the answers of the `wrong_chain` fault: a good signature by somebody else. */
export const STRANGER_SECRET_KEY =
  "2ab4c1c484742822291e394d6a93bc503018f3d390faf758ff598cf7ec394e1d";

export const DEVELOPMENT_BEACON_ID = "rafflebase-local";

/** 2023-11-14T22:13:20Z: long past, so every round of today exists from the first second. */
export const DEVELOPMENT_GENESIS_TIME = 1_700_000_000;

/** quicknet's, so that local draws wait exactly as long as real ones. */
export const DEVELOPMENT_PERIOD = 3;
