package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The instruction files are PTX in the eyes of NVIDIA's assembler, too. */
class InstructionAssemblyTest {

    @Test
    void everyInstructionFileAssembles(@TempDir Path folder) {
        Ptxas.requirePresent();
        StringBuilder text = new StringBuilder(".version 7.4\n.target sm_80\n.address_size 64\n");
        TreeMap<Integer, InstructionFile> fileAt = new TreeMap<>();
        int line = 4;
        for (InstructionFile file : InstructionFile.all()) {
            String entry = file.entry("test" + line);
            fileAt.put(line, file);
            text.append(entry);
            line += (int) entry.chars().filter(c -> c == '\n').count();
        }
        List<String> errors = new ArrayList<>();
        Ptxas.errors(folder, text.toString()).forEach((at, problem) -> {
            Map.Entry<Integer, InstructionFile> start = fileAt.floorEntry(at);
            errors.add(start.getValue().name() + ":" + (at - start.getKey() + 1) + ": " + problem);
        });
        assertThat(errors).isEmpty();
    }
}
