// The page's build: no polyfills, no source maps, names from content hashes only, so that the same sources give the same bytes.
import { defineConfig, type Plugin } from "vite";

// KaTeX's style sheet names each font in three formats; every browser that runs this page reads woff2.
function onlyWoff2(): Plugin {
  return {
    name: "only-woff2",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("katex") || !id.includes(".css")) return null;
      return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, "");
    },
  };
}

const server = process.env.MINKE_SERVER ?? "http://127.0.0.1:8321";

export default defineConfig({
  base: "./",
  plugins: [onlyWoff2()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": server, "/v1": server, "/health": server } },
});
