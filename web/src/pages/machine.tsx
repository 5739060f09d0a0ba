// What this machine is and does now, with the last minutes as lines.
import { useEffect, useState } from "preact/hooks";
import type { Machine } from "../api/types";
import { bytes, count, decimal } from "../text/format";
import { t } from "../text/language";
import { Chart } from "./chart";
import { LoadError, useLoaded } from "./page";

const kSamples = 240;

interface Sample {
  second: number;
  tokens_per_s: number | null;
  load: number | null;
  memory_gib: number | null;
}

function Meter(props: { name: string; value: string; part?: number | null }) {
  return (
    <div class="meter">
      <span>{props.name}</span>
      <strong>{props.value}</strong>
      {props.part != null && <progress max={1} value={Math.min(1, props.part)} aria-label={props.name} />}
    </div>
  );
}

export function MachineView({ load }: { load: () => Promise<Machine> }) {
  const { value, error } = useLoaded(load, 1500);
  const [samples, setSamples] = useState<Sample[]>([]);
  const [from] = useState(performance.now());
  useEffect(() => {
    if (!value) return;
    const sample: Sample = {
      second: Math.round((performance.now() - from) / 100) / 10,
      tokens_per_s: value.tokens_per_s_now ?? null,
      load: value.load ?? null,
      memory_gib: value.memory_used === undefined ? null : value.memory_used / 2 ** 30,
    };
    setSamples((before) => [...before, sample].slice(-kSamples));
  }, [value]);
  if (!value) return <LoadError text={error} />;
  const x = samples.map((sample) => sample.second);
  const part = value.memory_bytes && value.memory_used !== undefined ? value.memory_used / value.memory_bytes : null;
  return (
    <>
      <LoadError text={error} />
      <p class="machine-name"><strong>{value.cpu}</strong> {[value.isa, value.n_cores ? t("n_cores", { n: value.n_cores }) : ""].filter(Boolean).join(" · ")}</p>
      <div class="meters">
        <Meter name={t("speed_now")} value={t("tokens_per_s", { n: decimal(value.tokens_per_s_now ?? 0) })} />
        <Meter name={t("active_requests")} value={count(value.active_requests ?? 0)} />
        <Meter name={t("load")} value={decimal(value.load ?? 0, 2)} part={value.n_cores ? (value.load ?? 0) / value.n_cores : null} />
        <Meter name={t("memory")} value={`${bytes(value.memory_used ?? 0)} / ${bytes(value.memory_bytes ?? 0)}`} part={part} />
        {value.read_gb_s !== undefined && <Meter name={t("read_speed")} value={`${decimal(value.read_gb_s)} GB/s`} />}
      </div>
      {samples.length > 1 && (
        <div class="charts">
          <Chart title={t("speed_now")} axis={{ name: t("second") }} x={x} lines={[{ name: t("speed_now"), values: samples.map((sample) => sample.tokens_per_s), color: "--line-1" }]} />
          <Chart title={t("load")} axis={{ name: t("second") }} x={x} lines={[{ name: t("load"), values: samples.map((sample) => sample.load), color: "--line-2" }]} />
          <Chart title={t("memory_gib")} axis={{ name: t("second") }} x={x} lines={[{ name: t("memory_gib"), values: samples.map((sample) => sample.memory_gib), color: "--line-3" }]} />
        </div>
      )}
    </>
  );
}
