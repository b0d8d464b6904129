/**
 * Measures engines against each other: contenders take turns on the same prompts, every figure is a
 * ratio within one run, and the report is a page, a JSON file and tables on the terminal.
 */
package io.layerskip.bench;
