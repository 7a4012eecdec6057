package io.gpuquant.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RoundTripTest {

    @TempDir
    Path directory;

    @ParameterizedTest
    @EnumSource
    void everyTypeComesBackByteForByte(DType type) {
        HostTensor matrix = random("matrix", type, Shape.of(4, 6), 1);
        HostTensor empty = random("empty", type, Shape.of(3, 0, 2), 2);
        HostTensor vector = random("vector", type, Shape.of(8), 3);
        TestCheckpoints.write(directory, List.of(matrix, empty, vector));

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("matrix", "empty", "vector");
            assertSame(checkpoint.tensor("matrix"), matrix);
            assertSame(checkpoint.tensor("empty"), empty);
            assertSame(checkpoint.tensor("vector"), vector);
            assertThat(checkpoint.totalBytes()).isEqualTo(32L * type.bits() / 8);
        }
    }

    @Test
    void allTypesShareOneFileWhateverTheirAlignment() {
        List<HostTensor> tensors = new ArrayList<>();
        tensors.add(random("one.odd.byte", DType.U8, Shape.of(1), 99));
        for (DType type : DType.values()) {
            tensors.add(random("of." + type, type, Shape.of(4), tensors.size()));
        }
        TestCheckpoints.write(directory, tensors);

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.info("of.F64").offset() % 8).isNotZero();
            for (HostTensor tensor : tensors) {
                assertSame(checkpoint.tensor(tensor.name()), tensor);
            }
        }
    }

    @Test
    void scalarsAndNamesOfAnyScriptComeBack() {
        List<String> names = List.of("scalar", "größe", "重み.0", "quote\"back\\slash", "line\nbreak", "emoji 𝄞", "");
        List<HostTensor> tensors = names.stream()
                .map(name -> TestCheckpoints.tensor(name, DType.F32, Shape.of(), name.length()))
                .toList();
        TestCheckpoints.write(directory, tensors, 8);

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactlyElementsOf(names);
            assertThat(checkpoint.files()).hasSize(4);
            for (String name : names) {
                assertThat(checkpoint.tensor(name).shape().rank()).isZero();
                assertThat(Elements.toFloats(checkpoint.tensor(name))).containsExactly(name.length());
            }
        }
    }

    @Test
    void floatVectorsAreRoundedToTheType() {
        Map<String, float[]> vectors = new LinkedHashMap<>();
        vectors.put("b", new float[] {1, 0x1.00ap1f});
        vectors.put("a", new float[] {-0.5f});
        TestCheckpoints.write(directory, DType.BF16, vectors);

        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            assertThat(checkpoint.tensors()).extracting(TensorInfo::name).containsExactly("b", "a");
            assertThat(Elements.toFloats(checkpoint.tensor("b"))).containsExactly(1, 2);
            assertThat(Elements.toFloats(checkpoint.tensor("a"))).containsExactly(-0.5f);
        }
    }

    @Test
    void tensorsAreReadOnlyAndEndWithTheirFile() {
        TestCheckpoints.write(directory, DType.F32, Map.of("a", new float[] {1}));

        HostTensor tensor;
        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            tensor = checkpoint.tensor("a");
            assertThat(tensor.data().isReadOnly()).isTrue();
        }

        assertThatThrownBy(() -> Elements.toFloats(tensor)).isInstanceOf(IllegalStateException.class);
    }

    private static HostTensor random(String name, DType type, Shape shape, int seed) {
        byte[] bytes = new byte[(int) type.bytes(shape.elementCount())];
        new SplittableRandom(seed).nextBytes(bytes);
        return TestCheckpoints.bytes(name, type, shape, bytes);
    }

    private static void assertSame(HostTensor actual, HostTensor expected) {
        assertThat(actual.name()).isEqualTo(expected.name());
        assertThat(actual.dtype()).isEqualTo(expected.dtype());
        assertThat(actual.shape()).isEqualTo(expected.shape());
        assertThat(actual.data().toArray(ValueLayout.JAVA_BYTE))
                .isEqualTo(expected.data().toArray(ValueLayout.JAVA_BYTE));
    }
}
