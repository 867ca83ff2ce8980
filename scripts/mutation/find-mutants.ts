import {
  getTokenPosOfNode,
  isBlock,
  isCallExpression,
  isExpressionStatement,
  isNumericLiteral,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeNode,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";

export interface Mutant {
  readonly line: number;
  /** UTF-16 offsets of the text replaced. */
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
}

export interface Mutants {
  readonly mutants: readonly Mutant[];
  readonly excused: readonly { readonly line: number; readonly reason: string }[];
}

/** Replacements of each operator. The last one of a comparison is its negation, covered by `true` and `false` where it is a whole condition. */
const operators: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "**": ["*"],
  "&&": ["||"],
  "||": ["&&"],
  "+=": ["-="],
  "-=": ["+="],
  "*=": ["/="],
  "/=": ["*="],
  "&&=": ["="],
  "||=": ["="],
  "??=": ["="],
};
const methods: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ min: "max", max: "min", some: "every", every: "some", floor: "ceil", ceil: "floor", round: "floor" },
    ...{ startsWith: "endsWith", endsWith: "startsWith", find: "findLast", findLast: "find", push: "unshift" },
    ...{ unshift: "push", shift: "pop", pop: "shift" },
  }),
);
const droppedMethods = new Set(["filter", "slice", "sort", "toSorted", "reverse", "toReversed", "trim", "toLowerCase"]);
const ignored = new Set([
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.ImportDeclaration,
  SyntaxKind.ExportDeclaration,
  // Messages.
  SyntaxKind.TemplateExpression,
]);
const bodies = new Set([SyntaxKind.FunctionDeclaration, SyntaxKind.FunctionExpression, SyntaxKind.MethodDeclaration]);
const loops = new Set([SyntaxKind.WhileStatement, SyntaxKind.DoStatement, SyntaxKind.ForStatement]);
const droppable = new Set([SyntaxKind.ThrowStatement, SyntaxKind.BreakStatement, SyntaxKind.ContinueStatement]);
const logCall = /^(await )?([\w.#]*\.)?(log|logger|console)(\??\.\w+)?\(/;
const excuse = /\/\/ mutate: equivalent because (\S.*)$/;

/** Parses source files, given by absolute path, with the compiler that checks them. */
export async function parseSources(paths: readonly string[]): Promise<SourceFile[]> {
  const configuration = "/mutation/tsconfig.json";
  const content = JSON.stringify({ compilerOptions: { noResolve: true, noLib: true, types: [] }, files: paths });
  const api = new API({
    fs: {
      readFile: (path) => (path === configuration ? content : undefined),
      fileExists: (path) => (path === configuration ? true : undefined),
    },
  });
  try {
    const snapshot = await api.updateSnapshot({ openProject: configuration });
    const program = snapshot.getProject(configuration)?.program;
    const parsed = await Promise.all(paths.map((path) => program?.getSourceFile(path)));
    return parsed.map((file, index) => {
      if (file === undefined) throw new Error(`${paths[index]}: can't be parsed`);
      return file;
    });
  } finally {
    await api.close();
  }
}

/** Returns the mutants of a source file, except in types, messages, logging and excused lines. */
export function findMutants(file: SourceFile): Mutants {
  const source = file.text;
  const isDecision = /(^|\/)decide-[^/]*$/.test(file.fileName);
  const mutants: Mutant[] = [];
  const startOf = (node: Node) => getTokenPosOfNode(node, file);
  const textOf = (node: Node) => source.slice(startOf(node), node.end);
  const add = (node: Node, ...replacements: string[]) => {
    const start = startOf(node);
    const { line } = file.getLineAndCharacterOfPosition(start);
    for (const after of replacements)
      mutants.push({ line: line + 1, start, end: node.end, before: textOf(node), after });
  };
  /** String literals without spaces: those with spaces are messages. */
  const isRule = (node: Node) => isStringLiteral(node) && !node.text.includes(" ");
  const strings: string[] = [];

  function conditionOf(node: Node): Node | undefined {
    const parts = node as { expression?: Node; condition?: Node };
    if (node.kind === SyntaxKind.IfStatement) return parts.expression;
    if (node.kind === SyntaxKind.ConditionalExpression) return parts.condition;
    if (loops.has(node.kind)) return parts.condition ?? parts.expression;
    return undefined;
  }

  function visit(node: Node, isCondition = false): void {
    if (ignored.has(node.kind) || isTypeNode(node)) return;
    const text = textOf(node);
    // An invariant's own check is never true.
    if (/^(if|throw)\b/.test(text) && text.length < 400 && text.includes("This is a bug.")) return;
    if (node.kind === SyntaxKind.ExpressionStatement && logCall.test(text)) return;
    if (isExpressionStatement(node) && !text.startsWith("super")) add(node, ";");
    if (droppable.has(node.kind) && node.parent.kind !== SyntaxKind.IfStatement) {
      const alone = isBlock(node.parent) && node.parent.parent.kind === SyntaxKind.IfStatement;
      // Covered by the condition's `false`.
      if (!alone || node.parent.statements.length > 1) add(node, ";");
    }
    if (node.kind === SyntaxKind.ThrowStatement) return;
    const body = (node as { body?: Node }).body;
    if (bodies.has(node.kind) && body !== undefined && isBlock(body) && body.statements.length > 1) add(body, "{}");
    const condition = conditionOf(node);
    if (condition !== undefined && !["true", "false"].includes(textOf(condition))) {
      add(condition, "false", ...(loops.has(node.kind) ? [] : ["true"]));
    }
    if (node.kind === SyntaxKind.BinaryExpression) mutateBinary(node, isCondition);
    if (node.kind === SyntaxKind.PrefixUnaryExpression || node.kind === SyntaxKind.PostfixUnaryExpression) {
      const { operand } = node as unknown as { operand: Node };
      if (text.startsWith("!") && !isCondition) add(node, `(${textOf(operand)})`);
      else if (text.includes("++")) add(node, text.replace("++", "--"));
      else if (text.includes("--")) add(node, text.replace("--", "++"));
      else if (text.startsWith("-")) add(node, `(${textOf(operand)})`);
    }
    if (text === "true" || text === "false") add(node, text === "true" ? "false" : "true");
    const isName = (node.parent as { name?: Node } | undefined)?.name === node;
    if (isNumericLiteral(node) && !isName) {
      const value = Number(text.replaceAll("_", ""));
      add(node, String(value + 1), value === 0 ? "(-1)" : String(value - 1));
    }
    if (isDecision && isRule(node) && !isName && !/^typeof\b/.test(textOf(node.parent))) {
      const [other = '"mutated"'] = strings
        .slice(strings.indexOf(text) + 1)
        .concat(strings)
        .filter((word) => word !== text);
      add(node, other);
    }
    if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
      const { name, expression: receiver } = node.expression;
      const other = methods.get(name.text);
      if (other !== undefined) add(name, other);
      if (droppedMethods.has(name.text)) add(node, textOf(receiver));
      if (textOf(node.expression) === "Math.abs") add(node, text.slice("Math.abs".length));
    }
    if (node.kind === SyntaxKind.QuestionDotToken && isPropertyAccessExpression(node.parent)) add(node, ".");
    node.forEachChild((child) => visit(child, child === condition));
  }

  function mutateBinary(node: Node, isCondition: boolean): void {
    const { left, operatorToken, right } = node as unknown as { left: Node; operatorToken: Node; right: Node };
    const operator = textOf(operatorToken);
    if (operator === "??") add(node, `(${textOf(left)})`, `(${textOf(right)})`);
    const others = operators[operator] ?? [];
    if (operator === "+" && /["`]/.test(textOf(node))) return;
    if (isCondition && /^[<>=!]/.test(operator)) add(operatorToken, ...others.slice(0, others.length - 1));
    else add(operatorToken, ...others);
  }

  function collectStrings(node: Node): void {
    if (ignored.has(node.kind) || isTypeNode(node) || node.kind === SyntaxKind.ThrowStatement) return;
    if (isRule(node) && !strings.includes(textOf(node))) strings.push(textOf(node));
    node.forEachChild(collectStrings);
  }

  if (isDecision) collectStrings(file);
  visit(file);
  return withoutExcused(file, mutants);
}

function withoutExcused(file: SourceFile, mutants: readonly Mutant[]): Mutants {
  const excused: { line: number; reason: string }[] = [];
  for (const [index, line] of file.text.split("\n").entries()) {
    if (!line.includes("// mutate:")) continue;
    const reason = excuse.exec(line)?.[1];
    if (reason === undefined) {
      throw new Error(
        `${file.fileName}:${index + 1}: expected "// mutate: equivalent because REASON", got "${line.trim()}"`,
      );
    }
    excused.push({ line: line.trim().startsWith("//") ? index + 2 : index + 1, reason });
  }
  return { mutants: mutants.filter(({ line }) => !excused.some((place) => place.line === line)), excused };
}
