package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AwqBuilderTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/packing");

    @Test
    void putsTheGoldenWordsTogether() {
        try (Arena arena = Arena.ofConfined()) {
            LinearBuilder gemm = new AwqScheme(8, false, AwqVersion.GEMM).builder("m", 8, 8, arena);
            LinearBuilder gemv = new AwqScheme(128, false, AwqVersion.GEMV).builder("m", 128, 8, arena);
            for (int i = 0; i < 8; i++) {
                gemm.code(0, i, i);
                gemv.code(i, 0, i);
            }
            assertThat(gemm.tensors().getFirst().data().get(Elements.INT, 0)).isEqualTo(0x75316420);
            assertThat(gemv.tensors().getFirst().data().get(Elements.INT, 0)).isEqualTo(0x76543210);
        }
    }

    @ParameterizedTest
    @CsvSource({"GEMM, 32", "GEMM, 128", "GEMV, 32", "GEMV, 64", "GEMV, 128"})
    void makesTheBytesOfAutoAwq(AwqVersion version, int groupSize) {
        Path file = GOLDENS.resolve("awq-" + version.formatName() + "-g" + groupSize + ".safetensors");
        AwqScheme scheme = new AwqScheme(groupSize, false, version);
        try (io.gpuquant.safetensors.SafetensorsFile golden = io.gpuquant.safetensors.SafetensorsFile.open(file);
                Arena arena = Arena.ofConfined()) {
            Map<String, HostTensor> tensors = new HashMap<>();
            for (String name : new String[] {"qweight", "qzeros", "scales"}) {
                tensors.put("m." + name, golden.tensor(name));
            }
            PackedLinear theirs = scheme.read(name -> java.util.Optional.ofNullable(tensors.get(name)), "m");
            LinearBuilder ours = scheme.builder("m", theirs.in(), theirs.out(), arena);
            for (int out = 0; out < theirs.out(); out++) {
                for (int in = 0; in < theirs.in(); in++) {
                    ours.code(in, out, theirs.code(in, out));
                }
                for (int group = 0; group < scheme.groups(theirs.in()); group++) {
                    ours.zero(group, out, theirs.zero(group, out));
                    ours.scale(group, out, theirs.scale(group, out));
                }
            }
            for (HostTensor tensor : ours.tensors()) {
                assertThat(tensor.data().toArray(ValueLayout.JAVA_BYTE))
                        .as(tensor.name())
                        .isEqualTo(Objects.requireNonNull(tensors.get(tensor.name()))
                                .data()
                                .toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }
}
