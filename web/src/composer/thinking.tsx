// How long the model may think, and in which language it is kept.
import { currentModel } from "../state/library";
import { change, prefs } from "../state/prefs";
import { count } from "../text/format";
import { t } from "../text/language";
import { Icon } from "../ui/icons";
import { Menu, type MenuItem } from "../ui/menu";

const kBudgets = [512, 2048, 8192];

export function ThinkingMenu() {
  const { think, budget, language_lock: lock } = prefs.value;
  const canThink = currentModel()?.minke?.can_think !== false;
  const names = { 512: t("think_short"), 2048: t("think_normal"), 8192: t("think_long") } as Record<number, string>;
  const items: MenuItem[] = [
    { label: t("think_off"), hint: t("think_off_hint"), checked: !think, action: () => change({ think: false }) },
    ...kBudgets.map((n) => ({
      label: names[n] ?? "", hint: t("up_to_tokens", { n: count(n) }), checked: think && budget === n,
      action: () => change({ think: true, budget: n }),
    })),
    { label: t("think_free"), hint: t("think_free_hint"), checked: think && budget === null, action: () => change({ think: true, budget: null }) },
  ];
  const languages: MenuItem[] = [
    { label: t("lock_none"), hint: t("lock_none_hint"), checked: lock === null, action: () => change({ language_lock: null }) },
    { label: "한국어", hint: t("lock_hint"), checked: lock === "ko", action: () => change({ language_lock: "ko" }) },
    { label: "English", hint: t("lock_hint"), checked: lock === "en", action: () => change({ language_lock: "en" }) },
  ];
  const label = !canThink || !think ? t("think_off") : budget === null ? t("think_free") : names[budget] ?? t("up_to_tokens", { n: count(budget) });
  return (
    <>
      {canThink && (
        <Menu label={t("thinking_menu")} className={think ? "pill on" : "pill"} items={items} up heading={t("thinking_menu")}>
          <Icon name="thought" size={16} />
          <span class="only-wide">{think ? t("thinks", { how: label.toLocaleLowerCase() }) : label}</span>
          <span class="only-small">{label}</span>
        </Menu>
      )}
      <Menu label={t("language_menu")} className={lock ? "pill on" : "pill"} items={languages} up heading={t("language_menu")}>
        <Icon name="globe" size={16} />
        <span class={lock ? "" : "only-wide"}>{lock === "ko" ? "한국어" : lock === "en" ? "English" : t("lock_none")}</span>
      </Menu>
    </>
  );
}
