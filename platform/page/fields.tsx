import type { Signal } from "@preact/signals";
import { setQuery } from "./url-state.ts";

interface TextFieldProps {
  readonly label: string;
  readonly name: string;
  readonly text: Signal<string>;
  readonly maxLength: number;
  readonly isRequired?: boolean;
  readonly placeholder?: string;
  /** Id of a list of values that can be chosen. */
  readonly list?: string;
}

/** Labelled input of one line, whose text is a signal. */
export const TextField = ({ label, text, isRequired = false, ...rest }: TextFieldProps) => (
  <label>
    {label}
    <input
      type="text"
      {...rest}
      required={isRequired}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value;
      }}
    />
  </label>
);

/** Input for why something is changed. */
export const ReasonField = ({ reason }: { readonly reason: Signal<string> }) => (
  <TextField label="Reason, for the audit log" name="reason" text={reason} maxLength={500} />
);

/** Mistake of what was entered; nothing while there is none. */
export const Mistake = ({ text }: { readonly text: string }) => (
  <p role="alert" class={text === "" ? "hidden" : "note bad"}>
    {text === "" ? "" : `■ ${text}`}
  </p>
);

interface ChoiceProps<Value> {
  readonly label: string;
  readonly values: readonly Value[];
  readonly chosen: Value;
  readonly onChoose: (value: Value) => void;
  readonly text: (value: Value) => string;
}

/** Buttons of which one is pressed. */
export const Choice = <Value extends string | number>({
  label,
  values,
  chosen,
  onChoose,
  text,
}: ChoiceProps<Value>) => (
  <fieldset class="choice">
    <legend class="hidden">{label}</legend>
    {values.map((value) => (
      <button key={value} type="button" aria-pressed={value === chosen} onClick={() => onChoose(value)}>
        {text(value)}
      </button>
    ))}
  </fieldset>
);

interface HoursProps {
  readonly values: readonly number[];
  readonly chosen: number;
  /** Hours of an address that names none. */
  readonly usual: number;
}

/** Hours that charts show, which the address holds. */
export const HoursChoice = ({ values, chosen, usual }: HoursProps) => (
  <Choice
    label="Hours that are shown"
    values={values}
    chosen={chosen}
    text={(hours) => (hours >= 72 ? `${hours / 24} d` : `${hours} h`)}
    onChoose={(hours) => setQuery({ hours: hours === usual ? null : String(hours) })}
  />
);
