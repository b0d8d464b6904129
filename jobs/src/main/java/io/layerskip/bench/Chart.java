package io.layerskip.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * A chart in the notation of Apache ECharts.
 *
 * @param title what it shows
 * @param option what ECharts is given
 */
record Chart(String title, Map<String, Object> option) {

    /** One line for each series over common categories. */
    static Chart lines(
            String title,
            String categoryName,
            List<?> categories,
            String valueName,
            Map<String, List<Double>> series) {
        List<Map<String, Object>> lines = new ArrayList<>();
        series.forEach(
                (name, values) ->
                        lines.add(
                                Map.of("name", name, "type", "line", "data", List.copyOf(values))));
        return new Chart(
                title,
                Map.of(
                        "legend", Map.of(),
                        "tooltip", Map.of("trigger", "axis"),
                        "xAxis", categories(categoryName, categories),
                        "yAxis", Map.of("type", "value", "name", valueName),
                        "series", lines));
    }

    /**
     * Points joined to one line for each series.
     *
     * @param series each point is {x, y}
     */
    static Chart curves(
            String title, String xName, String yName, Map<String, List<List<Double>>> series) {
        List<Map<String, Object>> lines = new ArrayList<>();
        series.forEach(
                (name, points) -> {
                    List<List<Double>> sorted = new ArrayList<>(points);
                    sorted.sort(Comparator.comparing(point -> point.get(0)));
                    lines.add(Map.of("name", name, "type", "line", "data", sorted));
                });
        return new Chart(
                title,
                Map.of(
                        "legend", Map.of(),
                        "tooltip", Map.of("trigger", "item"),
                        "xAxis", Map.of("type", "value", "name", xName, "scale", true),
                        "yAxis", Map.of("type", "value", "name", yName),
                        "series", lines));
    }

    /**
     * Colours over a grid.
     *
     * @param values [row][column]
     */
    static Chart heatMap(
            String title,
            String columnName,
            List<?> columns,
            String rowName,
            List<?> rows,
            List<List<Double>> values) {
        List<List<Number>> cells = new ArrayList<>();
        double least = Double.POSITIVE_INFINITY;
        double most = Double.NEGATIVE_INFINITY;
        for (int row = 0; row < rows.size(); row++) {
            for (int column = 0; column < columns.size(); column++) {
                double value = Math.round(100 * values.get(row).get(column)) / 100.0;
                cells.add(List.of(column, row, value));
                least = Math.min(least, value);
                most = Math.max(most, value);
            }
        }
        return new Chart(
                title,
                Map.of(
                        "tooltip", Map.of(),
                        "xAxis", categories(columnName, columns),
                        "yAxis", categories(rowName, rows),
                        "visualMap", Map.of("min", least, "max", most, "calculable", true),
                        "series",
                                List.of(
                                        Map.of(
                                                "type",
                                                "heatmap",
                                                "label",
                                                Map.of("show", true),
                                                "data",
                                                cells))));
    }

    private static Map<String, Object> categories(String name, List<?> categories) {
        return Map.of("type", "category", "name", name, "data", categories);
    }
}
