package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** Expands {@code instruction-forms.txt}, where its patterns are explained. */
final class InstructionForms {

    /** The registers that the patterns name. */
    static final String PROLOGUE = "{ .reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<16>; .reg .f32 %f<16>; "
            + ".reg .b64 %rd<16>; .reg .f64 %fd<16>; .shared .align 16 .b8 shared_variable[64]; "
            + ".local .align 16 .b8 local_variable[64]; targets: .branchtargets end;\n";

    static final String EPILOGUE = "\nend: ret; }\n";

    private InstructionForms() {}

    /** Every instruction that some pattern makes, once. */
    static List<String> all() {
        return lines().flatMap(InstructionForms::expand).distinct().toList();
    }

    private static Stream<String> lines() {
        try (InputStream stream = InstructionForms.class.getResourceAsStream("instruction-forms.txt")) {
            String text = new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
            return text.lines().filter(line -> !line.isBlank() && !line.startsWith("#"));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static Stream<String> expand(String pattern) {
        return alternatives(pattern).stream()
                .flatMap(text -> types(text, "<T>", "$"))
                .flatMap(text -> types(text, "<S>", "#"))
                .map(text -> text.replace("\\", "") + ";");
    }

    private static Stream<String> types(String text, String mark, String register) {
        if (!text.contains(mark)) {
            return Stream.of(text);
        }
        return Stream.of(PtxType.values()).map(type -> {
            String typed = text.replace(mark, type.toString());
            for (int i = 0; i < 10; i++) {
                typed = typed.replace(register + "w" + i, register(type, 2 * type.bits(), i));
                typed = typed.replace(register + i, register(type, type.bits(), i));
            }
            return typed;
        });
    }

    private static String register(PtxType type, int bits, int number) {
        String prefix = switch (bits) {
            case 1, 2 -> "%p";
            case 32 -> type == PtxType.F32 ? "%f" : "%r";
            case 64 -> type == PtxType.F64 ? "%fd" : "%rd";
            case 128 -> "%rd";
            default -> "%h";
        };
        return prefix + number;
    }

    /** Expands the first alternatives, then what is left; those inside alternatives come after them. */
    private static List<String> alternatives(String text) {
        int open = unescapedBrace(text);
        if (open < 0) {
            return List.of(text);
        }
        List<String> choices = new ArrayList<>();
        int depth = 0;
        int start = open + 1;
        int at = open;
        while (true) {
            char c = text.charAt(at);
            if (c == '\\') {
                at++;
            } else if (c == '{') {
                depth++;
            } else if (c == ',' && depth == 1) {
                choices.add(text.substring(start, at));
                start = at + 1;
            } else if (c == '}' && --depth == 0) {
                choices.add(text.substring(start, at));
                break;
            }
            at++;
        }
        List<String> all = new ArrayList<>();
        for (String choice : choices) {
            all.addAll(alternatives(text.substring(0, open) + choice + text.substring(at + 1)));
        }
        return all;
    }

    private static int unescapedBrace(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) == '\\') {
                i++;
            } else if (text.charAt(i) == '{') {
                return i;
            }
        }
        return -1;
    }
}
