package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.VerificationException;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.format.ElementLinear;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.TensorReader;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.safetensors.Checkpoint;
import java.util.ArrayList;
import java.util.List;

/** Reads the linears of a checkpoint of elements back, and says what is wrong with them. */
final class ElementVerification {

    private final Checkpoint checkpoint;
    private final OpenModel model;
    private final ElementScheme scheme;
    private final TensorReader reader;

    ElementVerification(OpenModel model, ElementScheme scheme) {
        this.model = model;
        this.scheme = scheme;
        checkpoint = model.checkpoint();
        reader = name -> checkpoint.find(name).map(info -> checkpoint.tensor(name));
    }

    /**
     * Checks structure and content.
     *
     * @return the quantized linears
     * @throws VerificationException when something is wrong; the message names file and tensor
     */
    List<LinearSpec> check() {
        List<LinearSpec> quantized = new ArrayList<>();
        model.structure().layers().forEach(layer -> layer.stages().forEach(stage -> quantized.addAll(check(stage))));
        if (quantized.isEmpty()) {
            throw new VerificationException(
                    checkpoint.directory() + " says it is quantized, but no linear of the model is");
        }
        return quantized;
    }

    private List<LinearSpec> check(Stage stage) {
        List<LinearSpec> quantized = stage.linears().stream()
                .filter(linear -> scheme.holds(reader, linear.name()))
                .toList();
        if (!quantized.isEmpty() && quantized.size() != stage.linears().size()) {
            throw new VerificationException(checkpoint.directory() + ": of " + stage.linears() + " only "
                    + quantized.size() + " are quantized, which engines that fuse them refuse");
        }
        IndependentChecks.check(quantized, this::check);
        return quantized;
    }

    private void check(LinearSpec spec) {
        String codes = scheme.codes(spec.name());
        ElementLinear linear;
        try {
            linear = scheme.read(reader, spec.name());
        } catch (InputException damaged) {
            throw new VerificationException(damaged.getMessage() == null ? "" : damaged.getMessage(), damaged);
        }
        if (linear.in() != spec.in() || linear.out() != spec.out()) {
            throw new VerificationException(checkpoint.fileOf(codes) + ": " + codes + " is a linear of " + linear.in()
                    + " to " + linear.out() + " features, but config.json calls for " + spec.in() + " to "
                    + spec.out());
        }
        if (!codes.equals(spec.weightName()) && checkpoint.contains(spec.weightName())) {
            throw new VerificationException(checkpoint.fileOf(spec.weightName()) + ": " + spec.weightName()
                    + " is there although the linear is quantized; engines would not know which to take");
        }
        linear.fault().ifPresent(fault -> {
            throw new VerificationException(checkpoint.fileOf(codes) + ": " + fault);
        });
    }
}
