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

function optionsOf(lines: Line[], xName: string, width: number, height: number): uPlot.Options {
  const dim = colorOf("--dim");
  const grid = { stroke: colorOf("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  return {
    width,
    height,
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    scales: { x: { time: false } },
    axes: [
      { stroke: dim, grid: { show: false }, ticks: { show: false }, font, size: 26, values: (_plot, ticks) => ticks.map(short) },
      { stroke: dim, grid, ticks: { show: false }, font, size: 52, values: (_plot, ticks) => ticks.map(short) },
    ],
    series: [
      { label: xName, value: (_plot, value) => short(value) },
      ...lines.map((line) => ({
        label: line.name,
        stroke: colorOf(line.color) + (line.isFaint ? "55" : ""),
        width: line.isFaint ? 1 : 2,
        points: { show: false },
        spanGaps: true,
        value: (_plot: uPlot, value: number | null) => short(value),
      })),
    ],
  };
}

export function Chart(props: { title: string; xName: string; x: number[]; lines: Line[]; height?: number }) {
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
      plot.current = new Plot(optionsOf(latest.current.lines, latest.current.xName, element.clientWidth, height), data(), element);
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

  const last = props.lines.at(-1)?.values.findLast((value) => value !== null) ?? null;
  return (
    <figure class="chart">
      <figcaption><span>{props.title}</span><strong>{short(last)}</strong></figcaption>
      <div ref={box} class="chart-box" role="img" aria-label={`${props.title}: ${short(last)}`} />
    </figure>
  );
}
