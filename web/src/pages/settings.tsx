import { SamplingFields } from "../chat/sampling";
import { change, prefs, setTheme, theme, type Theme } from "../state/prefs";
import { language, setLanguage, t, type Language } from "../text/language";
import { Page } from "./page";

const kKeys: [string, Parameters<typeof t>[0]][] = [
  ["Enter", "key_send"], ["Shift + Enter", "key_line"], ["Esc", "key_stop"], ["↑", "key_edit"], ["Ctrl/⌘ + K", "key_search"],
  ["Ctrl/⌘ + Shift + O", "key_new"], ["/", "key_focus"],
];

function Choice<T extends string>(props: { label: string; name: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  return (
    <fieldset class="choice">
      <legend>{props.label}</legend>
      <div class="segments">
        {props.options.map(([value, text]) => (
          <label key={value} class={props.value === value ? "on" : ""}>
            <input type="radio" name={props.name} checked={props.value === value} onChange={() => props.onChange(value)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function SettingsPage() {
  const now = prefs.value;
  return (
    <Page title={t("settings")} lead={t("settings_lead")}>
      <section class="card">
        <Choice<Language> label={t("language")} name="language" value={language.value} options={[["en", "English"], ["ko", "한국어"]]} onChange={setLanguage} />
        <Choice<Theme> label={t("theme")} name="theme" value={theme.value}
          options={[["system", t("theme_system")], ["light", t("theme_light")], ["dark", t("theme_dark")]]} onChange={setTheme} />
        <label class="field inline">
          <span>{t("open_thoughts")}<small>{t("open_thoughts_hint")}</small></span>
          <input type="checkbox" checked={now.open_thoughts} onChange={(event) => change({ open_thoughts: event.currentTarget.checked })} />
        </label>
      </section>
      <section class="card">
        <label class="field">
          <span>{t("system_prompt")}</span>
          <textarea rows={4} value={now.system} placeholder={t("system_placeholder")} onInput={(event) => change({ system: event.currentTarget.value })} />
          <small>{t("system_default_hint")}</small>
        </label>
        <SamplingFields />
      </section>
      <section class="card">
        <h2>{t("keys")}</h2>
        <dl class="keys">
          {kKeys.map(([keys, what]) => <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{t(what)}</dd></div>)}
        </dl>
      </section>
    </Page>
  );
}
