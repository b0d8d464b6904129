/**
 * Measures engines against each other: contenders take turns on the same prompts, every figure is a
 * ratio within one run, and the report is a page, a JSON file and tables on the terminal.
 *
 * <pre>
 *   ExperimentSetup ---&gt; Experiment ---&gt; Section ---&gt; Report ---&gt; tables, page, JSON
 *     options, model        |              table, charts
 *     prompts, rounds       +---&gt; Comparison: Contenders take turns ---&gt; a Measurement of each
 * </pre>
 */
package io.layerskip.bench;
