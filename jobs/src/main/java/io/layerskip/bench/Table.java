package io.layerskip.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Figures with their names.
 *
 * @param columns what the cells of a row are
 * @param rows texts, numbers and {@link Spread}s
 */
record Table(List<String> columns, List<List<Object>> rows) {

    Table(String... columns) {
        this(List.of(columns), new ArrayList<>());
    }

    Table row(Object... cells) {
        if (cells.length != columns.size()) {
            throw new IllegalArgumentException(
                    "%d cells for the columns %s".formatted(cells.length, columns));
        }
        rows.add(List.of(cells));
        return this;
    }

    /** The rows as people read them. */
    @JsonProperty
    List<List<String>> texts() {
        return rows.stream().map(row -> row.stream().map(Table::text).toList()).toList();
    }

    String toMarkdown() {
        StringBuilder markdown = new StringBuilder(line(columns));
        markdown.append(line(columns.stream().map(column -> "---:").toList()));
        texts().forEach(row -> markdown.append(line(row)));
        return markdown.toString();
    }

    private static String line(List<String> cells) {
        return cells.stream().collect(Collectors.joining(" | ", "| ", " |\n"));
    }

    private static String text(Object cell) {
        if (cell instanceof Spread spread) {
            return "%s (%s to %s)"
                    .formatted(text(spread.median()), text(spread.least()), text(spread.most()));
        }
        if (cell instanceof Double number) {
            int decimals = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
            return String.format(Locale.ROOT, "%." + decimals + "f", number);
        }
        return cell.toString();
    }
}
