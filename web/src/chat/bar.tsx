// Above the conversation: the model, whether the chat is kept, its system prompt and sampling, and its menu.
import { signal, useSignal } from "@preact/signals";
import type { ModelInfo } from "../api/types";
import type { Chat } from "../state/chat";
import { currentModel, heads, models, storeInfo } from "../state/library";
import { change, prefs } from "../state/prefs";
import { actionsOf } from "../sidebar/actions";
import { isSidebarOpen } from "../sidebar/sidebar";
import { compact } from "../text/format";
import { t } from "../text/language";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { Menu } from "../ui/menu";
import { SamplingFields } from "./sampling";

function factsOf(model: ModelInfo): string {
  const facts = model.minke ?? {};
  const parts: string[] = [];
  if (facts.n_parameters) {
    const all = compact(facts.n_parameters);
    parts.push(facts.n_active && facts.n_active < facts.n_parameters
      ? t("parameters_active", { n: all, m: compact(facts.n_active) }) : t("parameters", { n: all }));
  }
  if (facts.dtype) parts.push(facts.dtype);
  if (facts.context) parts.push(t("context", { n: compact(facts.context) }));
  if (facts.architecture) parts.push(facts.architecture);
  if (facts.bundled) parts.push(t("bundled"));
  return parts.join(" · ");
}

export function ModelPicker() {
  const model = currentModel();
  if (!model) return <span class="model-picker">{t("no_model_short")}</span>;
  return (
    <Menu label={t("choose_model", { name: model.id })} className="model-picker" heading={t("models")}
      items={models.value.map((other) => ({
        label: other.id, hint: factsOf(other), checked: other.id === model.id, action: () => change({ model: other.id }),
      }))}>
      <span class="model-name">{model.id}</span>
      <Icon name="down" size={15} />
    </Menu>
  );
}

const isPanelOpen = signal(false);

function ChatSettings({ chat }: { chat: Chat }) {
  const own = useSignal(chat.system.value ?? prefs.value.system);
  const close = () => {
    const text = own.value.trim();
    const isDefault = text === prefs.value.system.trim();
    if (text !== (chat.system.value ?? prefs.value.system).trim()) chat.setSystem(isDefault ? null : text);
    isPanelOpen.value = false;
  };
  return (
    <Dialog title={t("chat_settings")} onClose={close}>
      <label class="field">
        <span>{t("system_prompt")}</span>
        <textarea rows={4} value={own.value} placeholder={t("system_placeholder")} onInput={(event) => (own.value = event.currentTarget.value)} />
        <small>{t("system_hint")}</small>
      </label>
      <SamplingFields />
      <div class="row end"><button type="button" class="button primary" onClick={close}>{t("done")}</button></div>
    </Dialog>
  );
}

export function ChatBar({ chat }: { chat: Chat }) {
  const head = heads.value.find((other) => other.id === chat.id);
  const isKept = storeInfo.value.state === "open" && !chat.temporary.value;
  return (
    <header class="bar">
      <button type="button" class="icon-button only-narrow" aria-label={t("open_navigation")} onClick={() => (isSidebarOpen.value = true)}>
        <Icon name="menu" />
      </button>
      <ModelPicker />
      <span class="grow" />
      {!isKept && <span class="chip" title={t("not_kept_hint")}><Icon name="ghost" size={14} />{t("not_kept")}</span>}
      <button type="button" class="icon-button" aria-label={t("chat_settings")} title={t("chat_settings")} onClick={() => (isPanelOpen.value = true)}>
        <Icon name="sliders" />
      </button>
      {head && (
        <Menu label={t("conversation_menu", { title: head.title })} items={actionsOf(head)} side="right">
          <Icon name="dots" />
        </Menu>
      )}
      {isPanelOpen.value && <ChatSettings chat={chat} />}
    </header>
  );
}
