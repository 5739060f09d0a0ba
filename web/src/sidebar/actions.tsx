// What can be done with a conversation, from its entry in the history and from the bar above it.
import * as minke from "../api/minke";
import type { ConversationHead } from "../api/types";
import { current, open } from "../state/chat";
import { folders, refreshHeads } from "../state/library";
import { attempt, notify } from "../state/notice";
import { go } from "../state/route";
import { t } from "../text/language";
import { download } from "../ui/copy";
import { ask } from "../ui/dialog";
import { Icon } from "../ui/icons";
import type { MenuItem } from "../ui/menu";

async function changed(head: ConversationHead, change: minke.HeadChange): Promise<void> {
  await attempt(async () => {
    await minke.conversations.change(head.id, change);
    if (change.title !== undefined && current.value.id === head.id) current.value.title.value = change.title;
    await refreshHeads();
  });
}

async function rename(head: ConversationHead): Promise<void> {
  const title = await ask({ title: t("rename"), action: t("save"), field: { label: t("title"), value: head.title } });
  if (title !== null && title.trim() !== "") await changed(head, { title: title.trim() });
}

async function move(head: ConversationHead): Promise<void> {
  const name = await ask({
    title: t("move"), text: t("move_hint"), action: t("save"),
    field: { label: t("folder"), value: head.folder ?? "", options: folders() },
  });
  if (name !== null) await changed(head, { folder: name.trim() === "" ? null : name.trim() });
}

async function remove(head: ConversationHead): Promise<void> {
  const answer = await ask({
    title: t("delete_title"), text: t("delete_text", { title: head.title || t("untitled") }), action: t("delete"), isDanger: true,
  });
  if (answer === null) return;
  await attempt(async () => {
    await minke.conversations.remove(head.id);
    if (current.value.id === head.id) {
      current.value.stop();
      await open(null);
      go("#/");
    }
    await refreshHeads();
    notify(t("deleted"));
  });
}

function save(head: ConversationHead, format: "json" | "markdown"): void {
  void attempt(async () => {
    const text = await minke.conversations.exported(head.id, format);
    const isJson = format === "json";
    download(`${head.title || "minke"}.${isJson ? "json" : "md"}`, isJson ? "application/json" : "text/markdown", text);
  });
}

export function actionsOf(head: ConversationHead): MenuItem[] {
  return [
    {
      label: head.pinned ? t("unpin") : t("pin"), icon: <Icon name="pin" size={16} />,
      action: () => void changed(head, { pinned: !head.pinned }),
    },
    { label: t("rename"), icon: <Icon name="edit" size={16} />, action: () => void rename(head) },
    { label: t("move"), icon: <Icon name="folder" size={16} />, action: () => void move(head) },
    {
      label: head.archived ? t("unarchive") : t("to_archive"), icon: <Icon name="archive" size={16} />,
      action: () => void changed(head, { archived: !head.archived }),
    },
    { label: t("export_markdown"), icon: <Icon name="export" size={16} />, action: () => save(head, "markdown") },
    { label: t("export_json"), icon: <Icon name="export" size={16} />, action: () => save(head, "json") },
    { label: t("delete"), icon: <Icon name="trash" size={16} />, isDanger: true, action: () => void remove(head) },
  ];
}
