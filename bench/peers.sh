#!/usr/bin/env bash
# Prints what builds again after what, as a table: the same small project with dmake and with each of its peers that is
# installed; one thing is changed, and the recipes that then run are named. The peers have the flags that they recommend.
# `npm run build && bash bench/peers.sh [dmake|make|ninja|snakemake]…`; DMAKE is the command to run in dmake's place.
set -u
export LC_ALL=C FLAVOUR=vanilla DMAKE=${DMAKE:-node $(cd "$(dirname "$0")/.." && pwd)/dist/cli/main.js}

# The project: the recipe `mid` makes mid.csv and side.csv of in.csv, `out` makes out.csv of mid.csv. Each notes its name
# in the file `ran`. Both use tool.sh, which reads lib.sh; in the style `script` the tool is a function that imports another.
given() {
  cd "$(mktemp -d "$scratch/XXXXXX")" || exit
  from=in.csv also= before= gap=' ' note=one style=shell targets='out.csv side.csv'
  mkdir parts && echo p1 >parts/1.csv && echo x >in.csv
  echo 'version=1; . ./lib.sh; clean "$@"' >tool.sh
  cat >lib.sh <<'LIB'
version=1
clean() {
  if [ "$1" = "$(cat slow 2>/dev/null)" ]; then printf half; echo $$ >begun; exec sleep 100; fi
  if grep -q bad "$@"; then printf half; return 1; fi
  head -qn 1 "$@"
}
LIB
  printf 'import lib\nversion = 1\nlib.clean(snakemake.output)\n' >tool.py
  printf 'version = 1\ndef clean(names):\n  [open(n, "w").write("x\\n") for n in names]\n  open("ran", "a").write("mid\\n")\n' >lib.py
  printf 'import { clean } from "./lib.js";\nexport const tool = (names: readonly string[]) => {\n  const version = 1;\n  clean(names);\n};\n' >tool.ts
  cat >lib.ts <<'LIB'
import { appendFileSync, writeFileSync } from "node:fs";
export const clean = (names: readonly string[], version = 1) => {
  for (const name of names) writeFileSync(name, "x\n");
  appendFileSync("ran", "mid\n");
};
LIB
  find . -exec touch -d '1 hour ago' {} +
}

# The command of `mid`: names of inputs, a variable, two outputs. `careful` writes nothing that is there already.
mid() {
  case $style in
    careful) echo "echo mid >> ran; sh tool.sh $1 > new; cmp -s new $3 || cp new $3; [ -e $4 ] || echo $2 > $4" ;;
    *) echo "echo mid >> ran; ${before}sh${gap}tool.sh $1 > $3 && echo $2 > $4" ;;
  esac
}
out() { echo "echo out >> ran; sh tool.sh mid.csv > $1"; }

# In the style `declared` each tool is told of the variable in its own way.
write_dmake() {
  local inputs= name names env= recipe
  read -ra names <<<"$from"
  for name in "${names[@]}"; do
    case $name in *'*'*) inputs+="optional(glob(\"$name\"))," ;; *) inputs+="\"$name\"," ;; esac
  done
  [ $style = declared ] && env='env: ["FLAVOUR"],'
  recipe="sh([\"mid.csv\", \"side.csv\"], { from: [$inputs], uses: [${also:+\"$also\"}], $env },
    ({ \$, inputs, outputs }) => \$\`$(mid '${inputs}' '"$FLAVOUR"' '${outputs[0]}' '${outputs[1]}')\`)"
  [ $style = script ] && recipe='script(["mid.csv", "side.csv"], { from: "in.csv" }, ({ outputs }) => tool(outputs))'
  cat >Datafile.ts <<RULES
import { glob, optional, script, sh } from "dmake";
import { tool } from "./tool.js";
export const mid = $recipe;
export const out = sh("out.csv", { from: "mid.csv" }, ({ \$, output }) => {
  // note $note
  return \$\`$(out '${output}')\`;
});
RULES
}
run_dmake() { $DMAKE $targets; }

write_make() {
  local names=$from stamp=
  case $from in *'*'*) names="\$(wildcard $from)" ;; esac
  [ $style = declared ] && stamp=flavour
  cat >Makefile <<RULES
.DELETE_ON_ERROR:
out.csv: mid.csv # note $note
	@$(out out.csv)
mid.csv side.csv &: $names $also $stamp
	@$(mid "$names" '$$FLAVOUR' mid.csv side.csv)
flavour: .FORCE
	@echo \$\$FLAVOUR | cmp -s - \$@ || echo \$\$FLAVOUR > \$@
.FORCE:
RULES
}
run_make() { make -rR $targets; }

# A generator writes build.ninja: it looks up globs and, if told to, the variable. It is run again where rules change.
write_ninja() {
  local flavour='$$FLAVOUR'
  [ $style = declared ] && flavour=$FLAVOUR
  cat >build.ninja <<RULES
rule mid
  command = $(mid '$in' "$flavour" mid.csv side.csv)
  restat = 1
# note $note
rule out
  command = $(out out.csv)
  restat = 1
build mid.csv side.csv: mid $(shopt -s nullglob && echo $from) ${also:+| $also}
build out.csv: out mid.csv
RULES
}
run_ninja() { ninja $targets; }

write_snakemake() {
  local params='names = lambda w, input: list(input)[:-1]' work
  work="shell: '''$(mid '{params.names}' '$FLAVOUR' mid.csv side.csv)'''"
  [ $style = script ] && work='script: "tool.py"'
  [ $style = declared ] && params+=', flavour = os.environ["FLAVOUR"]'
  cat >Snakefile <<RULES
import glob, os
rule out:
  # note $note
  input: "mid.csv"
  output: "out.csv"
  shell: "$(out out.csv)"
rule mid:
  input: [name for one in "$from".split() for name in sorted(glob.glob(one))], "${also:-in.csv}"
  output: "mid.csv", "side.csv"
  params: $params
  $work
RULES
}
run_snakemake() { snakemake --cores 1 --quiet all -- $targets; }

# Builds, and says what ran: `mid+out`, `nothing`; after `fails` if the tool says that it did.
build() {
  : >ran
  "run_$tool" >log 2>&1 </dev/null || printf 'fails '
  local steps
  steps=$(sort -u ran | paste -sd+)
  printf '%s' "${steps:-nothing}"
}
# Builds for the first time and looks whether a second one rests: only then a change counts.
ready() {
  "write_$tool"
  [ "$(build)" = mid+out ] && [ "$(build)" = nothing ] && return
  printf 'no first build: %s' "$(tail -1 log)"
  return 1
}
# Rules that were rewritten an hour ago: no tool is to run something because the file of its rules is new.
rewritten() { "write_$tool" && touch -d '1 hour ago' Datafile.ts Makefile build.ninja Snakefile && build; }
old() { touch -d '2 hours ago' "$@"; }
edited() { sed -i 's/version\( \?\)=\( \?\)1/version\1=\22/' "$@" && build; }
# What ran, and what is in a file then.
with() { printf '%s, `%s` in %s' "$2" "$(head -c 9 "$1" 2>/dev/null | tr -d '\n')" "$1"; }

a_touched() { ready && touch in.csv && build; }
a_touched_1_MB() { seq 200000 >in.csv && old in.csv && ready && touch in.csv && build; }
b_other_bytes_older() { ready && echo y >in.csv && old in.csv && build; }
c_command_changed() { ready && before='SIZE=2 ' && rewritten; }
d_blank_in_command() { ready && gap='  ' && rewritten; }
d_comment_in_rule() { ready && note=two && rewritten; }
e_script_of_command() { ready && edited tool.sh; }
e_script_as_recipe() { style=script && ready && edited tool.py tool.ts; }
e_module_of_script() { style=script && ready && edited lib.py lib.ts; }
f_input_added_old() { ready && echo z >more.csv && old more.csv && from='in.csv more.csv' && rewritten; }
f_not_in_command() { ready && echo z >more.csv && old more.csv && also=more.csv && rewritten; }
g_output_edited() { ready && echo mine >out.csv && with out.csv "$(build)"; }
h_middle_edited() { ready && echo mine >mid.csv && with out.csv "$(build)"; }
i_same_bytes() { ready && echo more >>in.csv && build; }
i_kept_if_same() { style=careful && ready && echo more >>in.csv && build && printf ', then %s' "$(build)"; }
j_one_of_two_gone() { ready && rm side.csv && build; }
k_recipe_fails() { ready && echo bad >in.csv && with mid.csv "$(build)" && printf ', then %s' "$(build)"; }
k_tool_killed() {
  ready && echo y >in.csv && echo mid.csv >slow || return
  setsid bash -c "$(declare -f "run_$tool"); targets='$targets'; run_$tool" >log 2>&1 </dev/null &
  local leader=$!
  until [ -s begun ]; do sleep 0.05; done
  # Of dmake each recipe has a process group of its own, which outlives it.
  kill -9 -- -$leader "$(cat begun)" 2>/dev/null
  wait $leader 2>/dev/null
  rm slow
  with out.csv "$(build)"
}
l_environment() { ready && FLAVOUR=mint && build; }
l_declared() { style=declared && ready && FLAVOUR=mint && rewritten; }
m_new_in_glob() { from='parts/*.csv' && ready && echo p2 >parts/2.csv && build; }
m_new_in_glob_old() { from='parts/*.csv' && ready && echo p2 >parts/2.csv && old parts/2.csv && build; }
m_gone_from_glob() { echo p2 >parts/2.csv && old parts/2.csv && from='parts/*.csv' && ready && rm parts/2.csv && build; }
n_appears_old() { from='in.csv opt*.csv' && ready && echo o >opt.csv && old opt.csv && build; }

# Two rules fit x.out; first only the input of the second is there, then that of the first comes.
o_ambiguous() {
  targets=x.out && echo c >x.csv && old x.csv && "choice_$tool" && build
  echo t >x.tsv && old x.tsv && printf ', then %s' "$(build)"
}
choice_dmake() {
  echo 'import { sh } from "dmake";'
  for kind in tsv csv; do
    echo "export const $kind = sh('{n}.out', { from: '{n}.$kind' }, ({ \$, input, output }) => \$\`echo $kind >> ran; cp \${input} \${output}\`);"
  done
} >Datafile.ts
choice_make() {
  for kind in tsv csv; do printf '%%.out: %%.%s\n\t@echo %s >> ran; cp $< $@\n' $kind $kind; done
} >Makefile
choice_ninja() {
  for kind in tsv csv; do
    printf 'rule %s\n  command = echo %s >> ran; cp $in $out\nbuild x.out: %s x.%s\n' $kind $kind $kind $kind
  done
} >build.ninja
choice_snakemake() {
  for kind in tsv csv; do
    printf 'rule %s:\n  input: "{n}.%s"\n  output: "{n}.out"\n  shell: "echo %s >> ran; cp {input} {output}"\n' $kind $kind $kind
  done
} >Snakefile

version_of() { case $1 in dmake) $DMAKE --version ;; *) "$1" --version ;; esac 2>/dev/null | head -1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ $# -gt 0 ] || set -- dmake make ninja snakemake
tools= head= line=
for tool in "$@"; do
  found=$(version_of "$tool")
  [ -n "$found" ] || { echo "$tool is not installed: skipped" >&2; continue; }
  tools+=" $tool" head+=" $tool ${found##* } |" line+=' --- |'
done
printf '| |%s\n| --- |%s\n' "$head" "$line"
for case in $(declare -F | sed -n 's/^declare -f \([a-o]_.*\)/\1/p'); do
  printf '| %s |' "${case//_/ }"
  for tool in $tools; do printf ' %s |' "$(given && "$case")"; done
  echo
done
