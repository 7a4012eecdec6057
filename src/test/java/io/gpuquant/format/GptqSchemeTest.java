package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;

class GptqSchemeTest {

    @Test
    void countsGroups() {
        GptqScheme scheme = new GptqScheme(4, 128, true, false, GptqVersion.V1);

        assertThat(scheme.groups(768)).isEqualTo(6);
        assertThat(new GptqScheme(4, -1, true, false, GptqVersion.V1).groups(768))
                .isEqualTo(1);
        assertThat(new GptqScheme(4, -1, true, false, GptqVersion.V1).groupSize(768))
                .isEqualTo(768);
    }

    @Test
    void packsMultiplesOfAWordOnly() {
        GptqScheme scheme = new GptqScheme(3, 32, true, false, GptqVersion.V1);

        assertThat(scheme.canPack(64, 96)).isTrue();
        assertThat(scheme.canPack(48, 96)).isFalse();
        assertThat(scheme.canPack(64, 100)).isFalse();
    }

    @Test
    void describesTheTensorsOfALinear() {
        GptqScheme scheme = new GptqScheme(3, 64, true, false, GptqVersion.V1);

        assertThat(new GptqTensors("model.layers.0.mlp.up_proj").specs(scheme, 256, 96))
                .isEqualTo(List.of(
                        new TensorSpec("model.layers.0.mlp.up_proj.qweight", DType.I32, Shape.of(24, 96)),
                        new TensorSpec("model.layers.0.mlp.up_proj.qzeros", DType.I32, Shape.of(4, 9)),
                        new TensorSpec("model.layers.0.mlp.up_proj.scales", DType.F16, Shape.of(4, 96)),
                        new TensorSpec("model.layers.0.mlp.up_proj.g_idx", DType.I32, Shape.of(256))));
    }

    @Test
    void findsTheLinearOfACodeTensor() {
        assertThat(GptqTensors.isCodes("a.b.qweight")).isTrue();
        assertThat(GptqTensors.isCodes("a.b.weight")).isFalse();
        assertThat(GptqTensors.ofCodes("a.b.qweight")).isEqualTo(new GptqTensors("a.b"));
    }

    @Test
    void refusesWidthsThatTheFormatHasNot() {
        assertThatThrownBy(() -> new GptqScheme(5, 128, true, false, GptqVersion.V1))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GptqScheme(4, 0, true, false, GptqVersion.V1))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
