// Serves so many bytes under any name on a free port of 127.0.0.1, and prints the port and their SHA-256: `node web.mjs BYTES`. Knows nothing of who asks.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const size = Number(process.argv[2]);
// Not all alike, and the same each time: 1 MiB of a chain of digests, again and again.
const links = [];
for (let link = createHash("sha256").update("dmake").digest(); links.length < 32_768; ) {
  links.push(link);
  link = createHash("sha256").update(link).digest();
}
const block = Buffer.concat(links);

const all = createHash("sha256");
for (let left = size; left > 0; left -= block.length)
  all.update(block.subarray(0, Math.min(left, block.length)));
const digest = all.digest("hex");

const server = createServer((request, response) => {
  response.writeHead(200, { "content-length": size, "content-type": "application/octet-stream" });
  let left = request.method === "HEAD" ? 0 : size;
  const send = () => {
    while (left > 0) {
      const piece = left < block.length ? block.subarray(0, left) : block;
      left -= piece.length;
      if (!response.write(piece)) {
        response.once("drain", send);
        return;
      }
    }
    response.end();
  };
  send();
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port} ${digest}\n`));
// Whoever has started it holds its input open: it does not outlive them.
process.stdin.resume().once("end", () => process.exit());
