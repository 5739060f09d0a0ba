// Markdown that grows: only blocks whose text changed are built again, so a long answer costs as much per token as a short one.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { language, t } from "../text/language";
import { copyText } from "../ui/copy";
import { isHighlightLoaded, loadHighlight } from "./highlight";
import { isMathLoaded, loadMath, renderMath } from "./math";
import { nodesOf, parse } from "./parse";

interface Shown {
  raw: string;
  nodes: ChildNode[];
}

function copyButton(text: () => string): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-copy";
  button.textContent = t("copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copyText(text())) ? t("copied") : t("copy_failed");
    window.setTimeout(() => (button.textContent = t("copy")), 1600);
  });
  return button;
}

function dressCode(pre: HTMLPreElement): void {
  const box = document.createElement("div");
  box.className = "code";
  const bar = document.createElement("div");
  bar.className = "code-bar";
  const name = document.createElement("span");
  name.textContent = pre.dataset["language"] || t("code");
  bar.append(name, copyButton(() => pre.textContent ?? ""));
  pre.replaceWith(box);
  pre.tabIndex = 0;  // long lines scroll by keyboard too
  box.append(bar, pre);
}

function dress(fragment: DocumentFragment): void {
  for (const pre of fragment.querySelectorAll("pre")) dressCode(pre);
  for (const element of fragment.querySelectorAll<HTMLElement>(".math")) renderMath(element);
  for (const table of fragment.querySelectorAll("table")) {
    const box = document.createElement("div");
    box.className = "table";
    table.replaceWith(box);
    box.append(table);
  }
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.title = link.href;
  }
}

function update(root: HTMLElement, shown: Shown[], text: string, isByLine: boolean): Shown[] {
  const { blocks, links } = parse(text, isByLine);
  let same = 0;
  while (same < blocks.length && same < shown.length && blocks[same]?.raw === shown[same]?.raw) ++same;
  for (const old of shown.slice(same)) for (const node of old.nodes) node.remove();
  const next = shown.slice(0, same);
  for (const block of blocks.slice(same)) {
    const fragment = nodesOf(block, links);
    dress(fragment);
    const nodes = [...fragment.childNodes];
    root.append(fragment);
    next.push({ raw: block.raw, nodes });
  }
  return next;
}

const kHasMath = /\$|\\\(|\\\[/;
const kHasCode = /^ {0,3}(?:```|~~~)/m;

export function Markdown({ text, isThought = false }: { text: string; isThought?: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const shown = useRef<Shown[]>([]);
  const [epoch, setEpoch] = useState(0);
  const spoken = language.value;  // the copy buttons change with it

  useEffect(() => {
    const waits: Promise<void>[] = [];
    if (!isMathLoaded() && kHasMath.test(text)) waits.push(loadMath());
    if (!isHighlightLoaded() && kHasCode.test(text)) waits.push(loadHighlight());
    if (waits.length === 0) return;
    let isGone = false;
    // without the extra files the text is plain, which is still right
    Promise.allSettled(waits).then(() => !isGone && setEpoch((n) => n + 1));
    return () => {
      isGone = true;
    };
  }, [kHasMath.test(text), kHasCode.test(text)]);

  // before the paint: otherwise an empty box is seen first
  useLayoutEffect(() => {
    root.current?.replaceChildren();
    shown.current = [];
  }, [epoch, spoken]);
  useLayoutEffect(() => {
    if (root.current) shown.current = update(root.current, shown.current, text, isThought);
  }, [text, epoch, spoken]);

  return <div ref={root} class={isThought ? "markdown dim" : "markdown"} />;
}
