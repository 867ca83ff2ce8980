import type { Command } from "#platform/terminal/command.ts";
import { optionsOf, optionText } from "./command-help.ts";
import type { NamedCommand } from "./shown-commands.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** Sub-commands of a command in the order of its usage; empty: it has none. */
export function actionsOf({ name, command: { usage } }: NamedCommand): readonly string[] {
  const forms = usage.split("\n").map((line, index) => {
    const text = line.trim();
    const prefix = `thormesh ${name} `;
    if (index === 0) return text;
    return text.startsWith(prefix) ? text.slice(prefix.length) : "";
  });
  const words = forms.flatMap((form) => /^[a-z][a-z-]*(\|[a-z][a-z-]*)*(?= |$)/.exec(form)?.[0]?.split("|") ?? []);
  return [...new Set(words)];
}

/** Options whose value is a path. */
const isPath = (value: string | undefined): boolean => /FILE|DIR|PATH/.test(value ?? "");

const takesValue = (command: Command) =>
  Object.entries(optionsOf(command)).filter(([, { value }]) => value !== undefined);

/** Words of an option that take a value, long and short. */
const spellings = (name: string, short: string | undefined) => [
  `--${name}`,
  ...(short === undefined ? [] : [`-${short}`]),
];

function bashScript(commands: readonly NamedCommand[]): string {
  const cases = commands.map((named) => {
    const { name, command } = named;
    const options = Object.entries(optionsOf(command)).flatMap(([option, { short }]) => spellings(option, short));
    const valued = takesValue(command);
    const words = (path: boolean) =>
      valued
        .filter(([, { value }]) => isPath(value) === path)
        .flatMap(([option, { short }]) => spellings(option, short))
        .join("|");
    const lines = [
      words(true) === "" ? "" : `        ${words(true)}) COMPREPLY=($(compgen -f -- "$current")); return ;;`,
      words(false) === "" ? "" : `        ${words(false)}) return ;;`,
    ].filter((line) => line !== "");
    const branches = lines.length === 0 ? "" : `      case "$previous" in\n${lines.join("\n")}\n      esac\n`;
    return `    ${name})\n${branches}      options="${options.join(" ")}"\n      actions="${actionsOf(named).join(" ")}"\n      ;;`;
  });
  return `# bash completion of thormesh: source <(thormesh completion bash)
_thormesh() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} options="" actions=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} help" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
    *) return ;;
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *)
      if [ "$COMP_CWORD" -eq 2 ] && [ -n "$actions" ]; then COMPREPLY=($(compgen -W "$actions" -- "$current")); fi
      if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
      ;;
  esac
}
complete -o filenames -F _thormesh thormesh`;
}

/** Text within single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zshScript(commands: readonly NamedCommand[]): string {
  const escaped = (text: string) => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const cases = commands.map((named) => {
    const options = Object.entries(optionsOf(named.command)).flatMap(([name, option]) => {
      const value =
        option.value === undefined ? "" : `:${escaped(option.value)}:${isPath(option.value) ? "_files" : ""}`;
      return spellings(name, option.short).map((word) => quoted(`${word}[${escaped(optionText(option))}]${value}`));
    });
    const actions = actionsOf(named);
    const first = actions.length === 0 ? "" : ` ${quoted(`1:action:(${actions.join(" ")})`)}`;
    return `    ${named.name}) _arguments ${options.join(" ")}${first} '*:file:_files' ;;`;
  });
  const described = commands.map(({ name, command }) => quoted(`${escaped(name)}:${escaped(command.summary)}`));
  return `#compdef thormesh
# zsh completion of thormesh: thormesh completion zsh > "\${fpath[1]}/_thormesh"
_thormesh() {
  local -a commands
  commands=(${described.join(" ")})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _thormesh ]; then _thormesh "$@"; else compdef _thormesh thormesh; fi`;
}

function fishScript(commands: readonly NamedCommand[]): string {
  const escaped = (text: string) => `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
  const lines = commands.flatMap((named) => {
    const { name, command } = named;
    const within = `-n '__fish_seen_subcommand_from ${name}'`;
    const options = Object.entries(optionsOf(command)).map(([option, spec]) => {
      const short = spec.short === undefined ? "" : ` -s ${spec.short}`;
      const value = spec.value === undefined ? "" : isPath(spec.value) ? " -r -F" : " -x";
      return `complete -c thormesh ${within}${short} -l ${option}${value} -d ${escaped(optionText(spec))}`;
    });
    const actions = actionsOf(named);
    const unchosen = `-n '__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${actions.join(" ")}'`;
    return [
      `complete -c thormesh -f -n __fish_use_subcommand -a ${name} -d ${escaped(command.summary)}`,
      ...(actions.length === 0 ? [] : [`complete -c thormesh -f ${unchosen} -a ${escaped(actions.join(" "))}`]),
      ...options,
    ];
  });
  return `# fish completion of thormesh: thormesh completion fish > ~/.config/fish/completions/thormesh.fish\n${lines.join("\n")}`;
}

/** Returns a shell's completion script for the program, of all commands, their sub-commands and options. */
export function completionScript(shell: Shell, commands: readonly NamedCommand[]): string {
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return scripts[shell](commands);
}
