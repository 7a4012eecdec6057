package io.gpuquant.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Rows of words in aligned columns; a cell that starts with a digit in every row but the first is aligned right. */
final class TextTable {

    private final List<List<String>> rows = new ArrayList<>();

    TextTable row(String... cells) {
        rows.add(List.of(cells));
        return this;
    }

    void print(PrintWriter out) {
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < row.size(); column++) {
                String cell = row.get(column);
                int width = width(column);
                boolean last = column == row.size() - 1;
                if (isNumeric(column)) {
                    line.append(" ".repeat(width - cell.length())).append(cell);
                } else {
                    line.append(cell).append(last ? "" : " ".repeat(width - cell.length()));
                }
                line.append(last ? "" : "  ");
            }
            out.println(line.toString().stripTrailing());
        }
    }

    private int width(int column) {
        return rows.stream()
                .filter(row -> column < row.size())
                .mapToInt(row -> row.get(column).length())
                .max()
                .orElse(0);
    }

    private boolean isNumeric(int column) {
        return column > 0
                && rows.size() > 1
                && rows.getFirst().size() > 2
                && rows.stream()
                        .skip(1)
                        .filter(row -> column < row.size())
                        .allMatch(row -> row.get(column).matches("[-+]?[\\d.].*|-|"));
    }
}
