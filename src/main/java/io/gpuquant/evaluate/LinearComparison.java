package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import java.util.ArrayList;
import java.util.List;

/** Compares the linears of models with the first model's, layer by layer, for the inputs that the first model gives them. */
final class LinearComparison {

    private final Device device;
    private final List<EvaluatedModel> models;
    private final List<WeightTally> tallies = new ArrayList<>();

    LinearComparison(Device device, List<EvaluatedModel> models) {
        this.device = device;
        this.models = models;
        models.forEach(model -> tallies.add(new WeightTally()));
    }

    /** Compares a layer. @param grams of the first model's inputs */
    void compare(int index, StageGrams grams) {
        DecoderLayer layer = models.getFirst().structure().layers().get(index);
        List<CancellingFactors> factors = models.stream()
                .map(model -> CancellingFactors.of(device, layer, models.getFirst(), model))
                .toList();
        for (Stage stage : layer.stages()) {
            grams.of(stage).ifPresent(gram -> {
                for (LinearSpec linear : stage.linears()) {
                    compare(index, stage, linear, gram, factors);
                }
            });
        }
    }

    private void compare(
            int layer, Stage stage, LinearSpec linear, DeviceMatrix gram, List<CancellingFactors> factors) {
        try (WeightDifference difference =
                new WeightDifference(device, linear, gram, models.getFirst().weights())) {
            double square = difference.reference(tallies.getFirst().weights());
            tallies.getFirst().linears().add(new LinearError(layer, linear, 0));
            for (int i = 1; i < models.size(); i++) {
                CancellingFactors ofModel = factors.get(i);
                double[] columns = ofModel.columns(stage);
                double[] rows = ofModel.fitsRows(stage, linear) ? new double[linear.out()] : null;
                double error = difference.difference(models.get(i).weights(), columns, rows, tallies.get(i));
                ofModel.found(rows);
                tallies.get(i).linears().add(new LinearError(layer, linear, square == 0 ? 0 : error / square));
            }
        }
    }

    /** What was found of each model. */
    List<WeightScores> scores() {
        return tallies.stream().map(WeightTally::scores).toList();
    }
}
