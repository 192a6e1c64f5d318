// Every function's contract, for OpenAPI. A test holds this list against the folders.
import { contract as account } from "../account/contract.ts";
import { contract as health } from "./contract.ts";

export const contracts = [account, health];
