import { Novu } from "@novu/node";
import {
  createNovuRecorder,
  type NovuRecorderOptions,
} from "../../supabase/local/novu/recorder.ts";
import { callerOf, serve } from "./harness.ts";

/** A recorder on a real port with the real SDK in front of it. */
export function hostNovu(options: NovuRecorderOptions = {}) {
  const recorder = createNovuRecorder(options);
  const host = serve(recorder);
  const novu = new Novu("local-key", { backendUrl: host.url });
  const { control } = callerOf(recorder);
  const look = async (query = "") => await (await fetch(`${host.url}/_local/novu${query}`)).json();
  return { recorder, novu, control, look, url: host.url, stop: host.stop };
}

/** The status Novu refused with, or the error that came instead of an answer. */
export async function refusalOf(call: Promise<unknown>): Promise<number | string> {
  try {
    await call;
    return "it was not refused";
  } catch (error) {
    const { response, code, message } = error as {
      response?: { status: number };
      code?: string;
      message: string;
    };
    return response?.status ?? code ?? message;
  }
}
