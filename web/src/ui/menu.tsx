// A button with a menu: arrow keys move, Escape and clicks elsewhere close, focus returns to the button.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface MenuItem {
  label: string;
  icon?: ComponentChildren;
  hint?: string;
  checked?: boolean;  // one of several: shown with a mark
  isDanger?: boolean;
  action: () => void;
}

interface MenuProps {
  label: string;
  className?: string;
  items: MenuItem[];
  children: ComponentChildren;
  side?: "left" | "right";
  up?: boolean;
  heading?: string;
}

export function Menu(props: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const close = (returnsFocus: boolean) => {
    setOpen(false);
    if (returnsFocus) button.current?.focus();
  };

  useEffect(() => {
    if (!isOpen) return;
    const items = [...(box.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    (items.find((item) => item.getAttribute("aria-checked") === "true") ?? items[0])?.focus();
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (!isOpen) return;
    const items = [...(box.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const move = (to: number) => {
      event.preventDefault();
      items[(to + items.length) % items.length]?.focus();
    };
    if (event.key === "ArrowDown") move(at + 1);
    else if (event.key === "ArrowUp") move(at - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(items.length - 1);
    else if (event.key === "Tab") setOpen(false);
    else if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    }
  };

  return (
    <div class="menu-box" ref={box} onKeyDown={onKeyDown}>
      <button
        ref={button} type="button" class={props.className ?? "icon-button"} aria-label={props.label} title={props.label}
        aria-haspopup="menu" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}
      >
        {props.children}
      </button>
      {isOpen && (
        <div class={`menu ${props.side ?? "left"} ${props.up ? "up" : ""}`} role="menu" aria-label={props.label}>
          {props.heading && <div class="menu-heading">{props.heading}</div>}
          {props.items.map((item) => (
            <button
              key={item.label} type="button" class={item.isDanger ? "danger" : ""} tabIndex={-1}
              role={item.checked === undefined ? "menuitem" : "menuitemradio"}
              aria-checked={item.checked}
              onClick={() => {
                close(true);
                item.action();
              }}
            >
              {item.icon}
              <span class="menu-text">
                {item.label}
                {item.hint && <small>{item.hint}</small>}
              </span>
              {item.checked && <span class="menu-check" aria-hidden="true">✓</span>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
