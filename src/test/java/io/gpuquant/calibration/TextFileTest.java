package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuquant.InputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextFileTest {

    /** Written by pyarrow. */
    private static final Path PARQUET = Path.of("src/test/resources/io/gpuquant/calibration/parquet");

    @TempDir
    Path folder;

    @Test
    void readsOneDocumentPerLine() throws IOException {
        assertThat(read("a.jsonl", "{\"text\": \"one\"}\n{\"meta\": {\"text\": 1}, \"text\": \"two\\nlines\"}\n"))
                .containsExactly("one", "two\nlines");
    }

    @Test
    void readsTheLastLineWithoutAnEnd() throws IOException {
        assertThat(read("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}")).containsExactly("one", "two");
    }

    @Test
    void acceptsWindowsLineEndsAndAByteOrderMark() throws IOException {
        assertThat(read("a.jsonl", "\ufeff{\"text\": \"one\"}\r\n\r\n{\"text\": \"two\"}\r\n"))
                .containsExactly("one", "two");
        assertThat(read("a.txt", "\ufeffone\r\ntwo")).containsExactly("one\r\ntwo");
    }

    @Test
    void skipsBlankLinesAndDocumentsWithoutText() throws IOException {
        assertThat(read("a.jsonl", "\n  \n{\"text\": \"\"}\n{\"text\": \" \\n\"}\n\t\n{\"text\": \"one\"}\n"))
                .containsExactly("one");
    }

    @Test
    void takesThePlainFileForOneDocument() throws IOException {
        assertThat(read("a.TXT", "{\"text\": 1}\n\n two ")).containsExactly("{\"text\": 1}\n\n two ");
    }

    @Test
    void readsTheFieldThatIsNamed() throws IOException {
        Path path = write("a.jsonl", "{\"text\": \"no\", \"content\": \"yes\"}".getBytes(StandardCharsets.UTF_8));

        assertThat(read(new TextFile(path, "content"))).containsExactly("yes");
    }

    @Test
    void endsLinesAtLineFeedsOnly() throws IOException {
        String text = "a\u2028b\u0085c\u000bd";

        assertThat(read("a.jsonl", "{\"text\": \"" + "a\u2028b\u0085c" + "\\u000bd\"}\n"))
                .containsExactly(text);
    }

    @ParameterizedTest
    @ValueSource(ints = {65_530, 65_536, 65_537, 200_000, 25_000_000})
    void readsLinesOfAnyLength(int length) throws IOException {
        String text = "é".repeat(length / 2);

        assertThat(read("a.jsonl", "{\"text\": \"" + text + "\"}\n{\"text\": \"end\"}\n"))
                .containsExactly(text, "end");
    }

    @Test
    void readsEveryDocumentOfTheRepositorysText() {
        assertThat(read(new TextFile(Path.of("datasets/calibration.jsonl")))).hasSize(512);
        assertThat(read(new TextFile(Path.of("datasets/validation.jsonl")))).hasSize(400);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"text\": \"x\"             | line 3 is not valid JSON at column 13; fix or remove that line",
                "{\"text\": \"x\"} {}         | line 3 is not valid JSON at column",
                "text                         | line 3 is not valid JSON at column",
                "[\"text\"]                   | line 3 holds an array, not a JSON object",
                "7                            | line 3 holds a number, not a JSON object",
                "{\"body\": \"x\", \"id\": 3} | line 3 has no field \"text\" but \"body\", \"id\"; name the one with the text with --text-field",
                "{}                           | line 3 has no field \"text\" but no field at all",
                "{\"text\": null}             | line 3 has null in the field \"text\", not a string",
                "{\"text\": 12}               | line 3 has a number in the field \"text\", not a string",
                "{\"text\": [\"x\"]}          | line 3 has a string as message 1, not an object",
                "{\"text\": \"\\ud83d!\"}     | line 3 has half a surrogate pair in the field \"text\"",
            })
    void namesTheLineAndTheField(String line, String message) {
        refuses("a.jsonl", "{\"text\": \"fine\"}\r\n\r\n" + line.strip() + "\n{\"text\": \"fine\"}\n", message);
    }

    @Test
    void showsNoControlCharactersAndNotEveryField() throws IOException {
        StringBuilder line = new StringBuilder("{\"\\u001b[2J\": 1");
        for (int i = 0; i < 1000; i++) {
            line.append(", \"field").append(i).append("\": 1");
        }
        Path path = write("a.jsonl", line.append('}').toString().getBytes(StandardCharsets.UTF_8));

        assertThatThrownBy(() -> read(new TextFile(path)))
                .isInstanceOf(InputException.class)
                .satisfies(thrown -> assertThat(thrown.getMessage())
                        .contains("\"field10\", …")
                        .doesNotContain("\u001b")
                        .hasSizeLessThan(400));
    }

    @Test
    void namesTheLineThatIsNotUtf8() throws IOException {
        byte[] jsonLines = "{\"text\": \"fine\"}\n{\"text\": \"caf?\"}\n".getBytes(StandardCharsets.UTF_8);
        jsonLines[jsonLines.length - 4] = (byte) 0xe9;
        byte[] plain = "one\ntwo\nthr?e".getBytes(StandardCharsets.UTF_8);
        plain[plain.length - 2] = (byte) 0xff;
        byte[] cut = {'a', '\n', 'b', (byte) 0xc3};

        refuses(write("a.jsonl", jsonLines), "line 2 is not valid UTF-8; convert the file to UTF-8");
        refuses(write("a.txt", plain), "line 3 is not valid UTF-8");
        refuses(write("b.txt", cut), "line 2 is not valid UTF-8");
        refuses(write("c.txt", new byte[] {(byte) 0xef, (byte) 0xbb}), "line 1 is not valid UTF-8");
    }

    @Test
    void refusesFilesWithoutText() {
        refuses("a.jsonl", "", "is empty; give a file that has text");
        refuses("a.jsonl", "\n \r\n", "has only blank lines");
        refuses("a.jsonl", "{\"text\": \"\"}\n{\"text\": \" \"}\n", "has no text in the field \"text\" of any line");
        refuses("a.txt", "", "is empty");
        refuses("a.txt", "\ufeff \n\t\n", "has nothing but white space");
    }

    @Test
    void refusesWhatIsNoTextFile() throws IOException {
        refuses(folder.resolve("nowhere.jsonl"), "does not exist");
        refuses(Files.createDirectory(folder.resolve("folder.jsonl")), "is a folder");
        refuses(write("a.csv", new byte[] {1}), "has an extension of another format; give a .jsonl");
        refuses(write("json", new byte[] {1}), "has an extension of another format");
        refuses(write("a.parquet.gz", new byte[] {1}), "is compressed as a whole");
    }

    @Test
    void readsLists() throws IOException {
        assertThat(read("a.json", "\ufeff[{\"text\": \"one\"}, \"two\",\n {\"id\": 1, \"text\": \"drei ü\"}, \" \"]\n"))
                .containsExactly("one", "two", "drei ü");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "                          | is empty",
                "{\"text\": \"x\"}           | holds an object where a list",
                "\"x\"                      | holds no list where a list",
                "[]                        | has an empty list",
                "[\" \"]                     | has no text in the field \"text\" of any row",
                "[\"x\", 5]                  | row 2 holds a number, not a JSON object",
                "[\"x\", {\"body\": 1}]      | row 2 has no field \"text\" but \"body\"",
                "[\"x\", {\"text\": 1}]      | row 2 has a number in the field \"text\"",
                "[\"x\", \"\\ud83d!\"]        | row 2 has half a surrogate pair",
                "[\"x\", {\"text\"           | is not valid JSON at line 1",
                "[\"x\",                     | is not valid JSON at line 1",
                "[\"x\"] []                  | goes on after its list",
                "[\"x\" \"y\"]               | is not valid JSON at line 1, column",
            })
    void namesTheRowOfAList(String content, String message) {
        refuses("a.json", content == null ? "" : content.strip(), message);
    }

    @Test
    void unpacksGzip() throws IOException {
        assertThat(readPacked("a.jsonl.gz", "{\"text\": \"one\"}\n")).containsExactly("one");
        assertThat(readPacked("a.json.GZ", "[\"one\"]")).containsExactly("one");
        assertThat(readPacked("a.txt.gz", "one")).containsExactly("one");
    }

    @Test
    void refusesDamagedGzip() throws IOException {
        StringBuilder content = new StringBuilder("[\"");
        new Random(1).ints(20_000, 'a', 'z').forEach(content::appendCodePoint);
        byte[] packed = packed(content + "\"]");

        for (String name : List.of("a.jsonl.gz", "a.json.gz", "a.txt.gz")) {
            refuses(write(name, Arrays.copyOf(packed, packed.length - 12)), "is damaged where it is compressed");
            refuses(write(name, "plain".getBytes(StandardCharsets.UTF_8)), "is damaged where it is compressed");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "snappy", "gzip", "zstd"})
    void readsParquet(String compression) {
        assertThat(read(new TextFile(PARQUET.resolve("text-" + compression + ".parquet"))))
                .containsExactly("one", "zwei ü\n", "四 😀");
    }

    @Test
    void readsParquetOfManyRowGroups() {
        assertThat(read(new TextFile(PARQUET.resolve("groups.parquet"))))
                .hasSize(5000)
                .startsWith("document 0")
                .endsWith("document 4999");
    }

    @Test
    void readsConversations() throws IOException {
        assertThat(read(new TextFile(PARQUET.resolve("chat.parquet"))))
                .containsExactly(
                        "[{role=user, content=Hi}, {role=assistant, content=Yes?, name=n}]",
                        "[{role=user, content=Bye}]");
        String shareGpt = """
                {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "h"}, {"from": "gpt", "value": "g"}]}
                """;
        assertThat(read("a.jsonl", shareGpt))
                .containsExactly("[{role=system, content=s}, {role=user, content=h}, {role=assistant, content=g}]");
        assertThat(read("a.json", "[{\"text\": [{\"role\": \"user\", \"content\": \"x\"}]}]"))
                .containsExactly("[{role=user, content=x}]");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[]                                      | has an empty list",
                "[5]                                     | has a number as message 1, not an object",
                "[{\"role\": \"user\"}]                  | has nothing in \"content\" of message 1",
                "[{\"role\": \"user\", \"content\": 5}]  | has a number in \"content\" of message 1",
                "[{\"content\": \"x\"}]                  | has no string \"role\" in message 1",
                "[{\"role\": 1, \"content\": \"x\"}]     | has no string \"role\" in message 1",
                "[{\"from\": \"me\", \"value\": \"x\"}]  | has \"me\" as the speaker of message 1",
                "[{\"role\": \"user\", \"content\": \"\\ud83d!\"}] | has half a surrogate pair in message 1",
            })
    void namesTheMessage(String messages, String message) {
        refuses("a.jsonl", "\n{\"messages\": " + messages.strip() + "}\n", "line 2 " + message.strip());
    }

    @Test
    void refusesDamagedParquet() throws IOException {
        byte[] whole = Files.readAllBytes(PARQUET.resolve("text-snappy.parquet"));
        byte[] bent = whole.clone();
        Arrays.fill(bent, 4, 300, (byte) 0x5a);

        refuses(write("a.parquet", new byte[] {1}), "cannot be read as Parquet");
        refuses(write("b.parquet", Arrays.copyOf(whole, whole.length / 2)), "cannot be read as Parquet");
        refuses(write("c.parquet", bent), "cannot be read as Parquet");
        refuses(PARQUET.resolve("missing.parquet"), "row 3 has null in the field \"text\"");
        refuses(PARQUET.resolve("empty.parquet"), "has no rows");
    }

    private List<String> readPacked(String name, String content) throws IOException {
        return read(new TextFile(write(name, packed(content))));
    }

    private static byte[] packed(String content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
            out.write(content.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    @Test
    void refusesDocumentsThatAreTooLongForTheTokenizer() throws IOException {
        byte[] bytes = new byte[Documents.MAX_DOCUMENT_BYTES + 1];
        Arrays.fill(bytes, (byte) 'x');

        refuses(write("a.txt", bytes), "is larger than 32 MiB, too much for one document");
        refuses(write("a.jsonl", bytes), "line 1 is longer than 32 MiB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.txt", "a.jsonl"})
    void refusesFilesThatCannotBeRead(String name) throws IOException {
        // The only file that fails to be read whoever reads it: its first page is never mapped.
        Path unreadable = Path.of("/proc/self/mem");
        assumeTrue(Files.exists(unreadable));
        Path link = Files.createSymbolicLink(folder.resolve(name), unreadable);

        refuses(link, "cannot be read");
        Files.delete(link);
    }

    @Test
    void refusesFilesThatVanish() throws IOException {
        TextFile plain = new TextFile(write("a.txt", new byte[] {'x'}));
        TextFile jsonLines = new TextFile(write("a.jsonl", new byte[] {'x'}));
        Files.delete(plain.path());
        Files.delete(jsonLines.path());

        assertThatThrownBy(() -> read(plain)).isInstanceOf(InputException.class).hasMessageContaining("a.txt cannot");
        assertThatThrownBy(() -> read(jsonLines))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a.jsonl cannot");
    }

    private void refuses(String name, String content, String message) {
        assertThatThrownBy(() -> read(name, content))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(folder.resolve(name) + " ")
                .hasMessageContaining(message);
    }

    private static void refuses(Path path, String message) {
        assertThatThrownBy(() -> read(new TextFile(path)))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(path + " ")
                .hasMessageContaining(message);
    }

    private List<String> read(String name, String content) throws IOException {
        return read(new TextFile(write(name, content.getBytes(StandardCharsets.UTF_8))));
    }

    private static List<String> read(TextFile file) {
        List<String> texts = new ArrayList<>();
        try (Documents documents = file.documents()) {
            for (Document next = documents.next(); next != null; next = documents.next()) {
                texts.add(
                        next instanceof Document.Text text
                                ? text.text()
                                : ((Document.Chat) next).messages().toString());
            }
            assertThat(documents.next()).isNull();
        }
        return texts;
    }

    private Path write(String name, byte[] content) throws IOException {
        return Files.write(folder.resolve(name), content);
    }
}
