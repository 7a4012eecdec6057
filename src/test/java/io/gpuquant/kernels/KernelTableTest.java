package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The page that lists what every kernel takes of a GPU. */
class KernelTableTest {

    private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)\\(");

    /** Registers for each of four architectures, and shared memory. */
    private static final String ROW =
            "\\| `%s` \\| %s \\| \\d+ / \\d+ / \\d+ / \\d+ \\| \\d+( \\+ (\\d+|by size))? \\|.*";

    @Test
    void hasEveryKernel() throws IOException {
        List<String> page = Files.readAllLines(Path.of("docs/kernels.md"));
        int entries = 0;
        try (Stream<Path> files = Files.list(Path.of("ptx"))) {
            for (Path file :
                    files.filter(found -> found.toString().endsWith(".ptx")).toList()) {
                Matcher entry = ENTRY.matcher(Files.readString(file));
                while (entry.find()) {
                    entries++;
                    String row = String.format(
                            ROW,
                            entry.group(1),
                            Pattern.quote(file.getFileName().toString()));
                    assertThat(page).as(entry.group(1)).anyMatch(line -> line.matches(row));
                }
            }
        }
        assertThat(page.stream().filter(line -> line.startsWith("| `"))).hasSize(entries);
    }
}
