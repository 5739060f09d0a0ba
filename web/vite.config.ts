// The page's build: no polyfills, no source maps, names from content hashes only, so that the same sources give the same bytes.
import { createHash } from "node:crypto";
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

// files.json: what the program embeds, with sizes and hashes, for whoever wants to compare.
function listFiles(): Plugin {
  return {
    name: "list-files",
    generateBundle(_options, bundle) {
      const files = Object.values(bundle)
        .map((file) => {
          const bytes = Buffer.from(file.type === "chunk" ? file.code : file.source);
          return { path: file.fileName, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
        })
        .sort((a, b) => (a.path < b.path ? -1 : 1));
      this.emitFile({ type: "asset", fileName: "files.json", source: JSON.stringify(files, null, 1) + "\n" });
    },
  };
}

const server = process.env.MINKE_SERVER ?? "http://127.0.0.1:8321";

export default defineConfig({
  base: "./",
  plugins: [onlyWoff2(), listFiles()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": server, "/v1": server, "/health": server } },
});
