// Line icons on a grid of 24, drawn for this page.
const kPaths = {
  menu: "M4 7h16M4 12h16M4 17h16",
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM20 20l-4-4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  down: "M6 9l6 6 6-6",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  arrow_down: "M12 5v14M6 13l6 6 6-6",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M9 9h10v10H9zM5 15V5h10",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  again: "M19 12a7 7 0 1 1-2.1-5M19 4v4h-4",
  clip: "M19 11.5l-7.3 7.3a4.6 4.6 0 0 1-6.5-6.5l7.7-7.7a3.1 3.1 0 0 1 4.4 4.4l-7.7 7.7a1.5 1.5 0 0 1-2.2-2.2l6.8-6.8",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  thought: "M9 18h6M10 21h4M8.5 15C6.9 13.9 6 12.1 6 10a6 6 0 1 1 12 0c0 2.1-.9 3.9-2.5 5z",
  pin: "M9 4h6l-.7 6 2.7 3H7l2.7-3zM12 13v7",
  archive: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  folder: "M3 6h6l2 2h10v11H3z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  dots: "M5.5 11.2a.8.8 0 1 0 .01 1.6.8.8 0 0 0 0-1.6M12 11.2a.8.8 0 1 0 .01 1.6.8.8 0 0 0 0-1.6M18.5 11.2a.8.8 0 1 0 .01 1.6.8.8 0 0 0 0-1.6",
  export: "M12 15V4M8 8l4-4 4 4M5 14v6h14v-6",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  shield: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2.2 2.2L15.3 10",
  chart: "M4 4v16h16M8 15l3.5-4.5 3 2.5L20 7",
  gear: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.1 2.1M16.3 16.3l2.1 2.1M5.6 18.4l2.1-2.1M16.3 7.7l2.1-2.1",
  ghost: "M6 20V11a6 6 0 0 1 12 0v9l-3-2-3 2-3-2zM10 11h.01M14 11h.01",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  globe: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM4 12h16M12 4c-5 4.5-5 11.5 0 16 5-4.5 5-11.5 0-16",
  scales: "M12 4v16M8 20h8M5 7h14M5 7l-3 7a3.2 3.2 0 0 0 6 0zM19 7l-3 7a3.2 3.2 0 0 0 6 0z",
  import: "M12 4v11M8 11l4 4 4-4M5 14v6h14v-6",
} as const;

export type IconName = keyof typeof kPaths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={kPaths[name]} />
    </svg>
  );
}

export function Whale({ size }: { size: number }) {
  return <img class="whale" src="./whale.svg" width={size} height={size} alt="" />;
}
