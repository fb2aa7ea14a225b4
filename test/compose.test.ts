// What docker-compose.yml promises: a valid file, a server that only this machine reaches, and a password that nobody is shown.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DCLinter } from "dclint";
import { parse } from "yaml";

const path = fileURLToPath(new URL("../docker-compose.yml", import.meta.url));
const text = readFileSync(path, "utf8");

interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly bind: { readonly create_host_path: boolean };
}

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile_inline: string };
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly volumes: readonly (string | Mount)[];
  readonly ports?: readonly string[];
  readonly shm_size?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<"db" | "dmake", Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const { services, volumes, secrets }: Compose = parse(text);
const { db, dmake } = services;

/** As dclint says it; its own types do not resolve here. */
interface Message {
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** What the schema of Compose files and a linter's rules say against a file; the order of keys is ours. */
function problemsIn(file: string): string[] {
  const rules = { "service-keys-order": 0, "require-quotes-in-ports": 0 } as const;
  const linter = new DCLinter({ rules, quiet: false, debug: false, exclude: [] });
  const results: readonly { readonly messages: readonly Message[] }[] = linter.lintFiles([file], false);
  return results
    .flatMap(({ messages }) => messages)
    .map(({ line, rule, message }) => `${line}: ${rule}: ${message}`);
}

function temporary(t: { after(clean: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "dmake-compose-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("the file fits the schema of Compose files, and a linter has nothing against it", () => {
  assert.deepEqual(problemsIn(path), []);
});

test("the check sees what is no Compose file, and ports that everybody reaches", (t) => {
  const folder = temporary(t);
  const bad = (name: string, from: string, to: string) => {
    assert.ok(text.includes(from), `${from} is not in docker-compose.yml any more`);
    const file = join(folder, `${name}.docker-compose.yml`);
    writeFileSync(file, text.replace(from, to));
    return problemsIn(file).join("\n");
  };
  assert.match(bad("misspelt", "healthcheck:", "healthchecks:"), /invalid-schema/);
  assert.match(bad("open", '"127.0.0.1:', '"'), /no-unbound-port-interfaces/);
  assert.match(bad("floating", `${db.image}`, "postgres"), /service-image-require-explicit-tag/);
});

test("Docker Compose itself reads the file, where it is installed", (t) => {
  if (spawnSync("docker", ["compose", "version"]).status !== 0) return t.skip("no `docker compose` here");
  execFileSync("docker", ["compose", "-f", path, "config", "--quiet"], { stdio: "pipe" });
});

test("images are pinned to an exact version and a Debian release", () => {
  assert.match(db.image ?? "", /^postgres:\d+\.\d+-[a-z]+$/);
  assert.match(dmake.build?.dockerfile_inline ?? "", /^FROM node:\d+\.\d+\.\d+-[a-z]+-slim$/m);
});

test("the server is reached from this machine only, on a port that `.env` chooses", () => {
  assert.deepEqual(db.ports, [`127.0.0.1:\${POSTGRES_PORT:-5432}:5432`]);
  assert.equal(dmake.ports, undefined);
});

test("the server's data is in a named volume, where version 18 keeps it", () => {
  assert.deepEqual(db.volumes, ["db-data:/var/lib/postgresql"]);
  assert.ok("db-data" in volumes);
  assert.match(db.shm_size ?? "", /^\d+mb$/);
});

test("healthy means reachable over TCP, which the server that fills an empty volume is not", () => {
  assert.match(db.healthcheck?.test.join(" ") ?? "", /pg_isready .*-h 127\.0\.0\.1/);
  assert.equal(dmake.depends_on?.db?.condition, "service_healthy");
});

test("both services leave time to end in order", () => {
  for (const { stop_grace_period: period } of [db, dmake]) assert.match(period, /^(\d+m|[3-9]\ds)$/);
});

test("the password is a file, and no variable that Docker shows holds it", () => {
  assert.equal(db.environment.POSTGRES_PASSWORD_FILE, "/run/secrets/db_password");
  for (const service of [db, dmake]) {
    assert.deepEqual(service.secrets, ["db_password"]);
    const named = Object.keys(service.environment).filter((name) =>
      /PASSWORD$|DATABASE_URL|PASSFILE/.test(name),
    );
    assert.deepEqual(named, []);
  }
  assert.match(secrets.db_password?.file ?? "", /\.\/secrets\//);
  assert.match(readFileSync(new URL("../.gitignore", import.meta.url), "utf8"), /^secrets\/$/m);
});

test("secrets, settings and data stay out of the image", () => {
  const kept = readFileSync(new URL("../.dockerignore", import.meta.url), "utf8")
    .split("\n")
    .slice(1)
    .filter(Boolean);
  assert.deepEqual(
    [
      kept[0],
      ...kept
        .slice(1)
        .filter((line) => !/^!(\.npmrc|src|package(-lock)?\.json|tsconfig(\.build)?\.json)$/.test(line)),
    ],
    ["*"],
  );
});

test("dmake runs as the caller, in folders that are there already", () => {
  assert.equal(dmake.user, `\${UID:-1000}:\${GID:-1000}`);
  const mounts = dmake.volumes as readonly Mount[];
  assert.deepEqual(
    mounts.map(({ source, target }) => [source, target]),
    [
      [".", "/project"],
      [`\${HOST_DATA_PATH:-./data}`, "/project/data"],
    ],
  );
  for (const mount of mounts) assert.equal(mount.bind.create_host_path, false);
});

test("every setting of `.env.example` is one that the file reads, with the same default", () => {
  const example = readFileSync(new URL("../.env.example", import.meta.url), "utf8");
  const given = Object.fromEntries(
    example.split("\n").flatMap((line) => (/^[A-Z]/.test(line) ? [line.split("=")] : [])),
  );
  const read = Object.fromEntries(
    [...text.matchAll(/\$\{([A-Z_]+):-([^}]*)\}/g)].map(([, name, value]) => [name, value]),
  );
  assert.deepEqual(given, read);
});

test("the container hands dmake its words unsplit, and the password of the file", (t) => {
  const folder = temporary(t);
  const { run } = container(folder);
  writeFileSync(join(folder, "db_password"), 'it\'s a "secret"\n');
  const { status, stdout } = run(["table:trips/{2021-01..2021-03}", "source=a b"]);
  assert.equal(stdout, 'it\'s a "secret"|table:trips/{2021-01..2021-03}|source=a b|');
  assert.equal(status, 0);
});

test("without the password's file the container fails, and dmake is not started", (t) => {
  const { status, stdout } = container(temporary(t)).run([]);
  assert.notEqual(status, 0);
  assert.equal(stdout, "");
});

/** The entrypoint as Docker would run it, with a dmake that only prints, and `folder` for `/run/secrets`. */
function container(folder: string) {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "dmake"), `#!/bin/sh\nprintf '%s|' "$PGPASSWORD" "$@"\n`);
  chmodSync(join(bin, "dmake"), 0o755);
  const [command = "", ...args] = (dmake.entrypoint ?? []).map((word) =>
    word.replaceAll("$$", "$").replace("/run/secrets", folder),
  );
  const env = { PATH: `${bin}:${process.env.PATH}` };
  return {
    run: (words: readonly string[]) => spawnSync(command, [...args, ...words], { env, encoding: "utf8" }),
  };
}
