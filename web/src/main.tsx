import { render } from "preact";
import { App } from "./app";
import { start } from "./state/library";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/chat.css";
import "./styles/markdown.css";
import "./styles/pages.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
void start();
