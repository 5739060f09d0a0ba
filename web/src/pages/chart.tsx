// A line over steps or seconds, drawn by uPlot (loaded when the first chart is shown) in the page's colours.
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { theme } from "../state/prefs";
import { language } from "../text/language";

export interface Line {
  name: string;
  values: (number | null)[];
  color: "--line-1" | "--line-2" | "--line-3";
  isFaint?: boolean;
  isEdge?: boolean;  // of a band: the first and the second such line bound it
}

type Library = typeof uPlot;
let loading: Promise<Library> | null = null;
function library(): Promise<Library> {
  loading ??= Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]).then(([module]) => module.default);
  return loading;
}

const colorOf = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function short(value: number | null): string {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

export interface Axis {
  name: string;
  isRatio?: boolean;  // factors: drawn so that 1/2 and 2 are as far from 1
  text?: (value: number) => string;  // of the values above it
}

function bandsOf(lines: Line[]): uPlot.Band[] {
  const [low, high] = lines.flatMap((line, at) => (line.isEdge ? [at + 1] : []));
  if (low === undefined || high === undefined) return [];
  return [{ series: [high, low], fill: colorOf("--line-1") + "26" }];
}

function optionsOf(lines: Line[], axis: Axis, width: number, height: number): uPlot.Options {
  const dim = colorOf("--dim");
  const grid = { stroke: colorOf("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  return {
    width,
    height,
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    scales: { x: axis.isRatio ? { time: false, distr: 3, log: 2 } : { time: false } },
    bands: bandsOf(lines),
    axes: [
      { stroke: dim, grid: { show: false }, ticks: { show: false }, font, size: 26, values: (_plot, ticks) => ticks.map((tick) => (axis.isRatio ? `× ${short(tick)}` : short(tick))) },
      { stroke: dim, grid, ticks: { show: false }, font, size: 52, values: (_plot, ticks) => ticks.map(axis.text ?? short) },
    ],
    series: [
      { label: axis.name, value: (_plot, value) => short(value) },
      ...lines.map((line) => ({
        label: line.name,
        stroke: colorOf(line.color) + (line.isFaint || line.isEdge ? "55" : ""),
        width: line.isFaint || line.isEdge ? 1 : 2,
        points: { show: false },
        spanGaps: true,
        value: (_plot: uPlot, value: number | null) => (value !== null && axis.text ? axis.text(value) : short(value)),
      })),
    ],
  };
}

// figure: what stands beside the title; otherwise the last value.
export function Chart(props: { title: string; axis: Axis; x: number[]; lines: Line[]; height?: number; figure?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [isDark, setDark] = useState(matchMedia("(prefers-color-scheme: dark)").matches);
  const latest = useRef(props);
  latest.current = props;
  const shape = props.lines.map((line) => line.name).join("|");
  const data = () => [latest.current.x, ...latest.current.lines.map((line) => line.values)] as uPlot.AlignedData;

  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let isGone = false;
    const height = props.height ?? 190;
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    void library().then((Plot) => {
      if (isGone) return;
      plot.current = new Plot(optionsOf(latest.current.lines, latest.current.axis, element.clientWidth, height), data(), element);
      observer.observe(element);
    });
    return () => {
      isGone = true;
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, theme.value, isDark, language.value]);

  useEffect(() => plot.current?.setData(data()), [props.x, props.lines]);

  const last = props.figure ?? short(props.lines.at(-1)?.values.findLast((value) => value !== null) ?? null);
  return (
    <figure class="chart">
      <figcaption><span>{props.title}</span><strong>{last}</strong></figcaption>
      <div ref={box} class="chart-box" role="img" aria-label={`${props.title}: ${last}`} />
    </figure>
  );
}
