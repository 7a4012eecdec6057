package io.gpuquant.job;

import io.gpuquant.model.Stage;
import io.gpuquant.quantize.LinearReport;
import java.util.List;

/**
 * How many calibration tokens came to a stage, and whether they tell enough of its input. An expert that saw fewer than one
 * token for each {@value #FEATURES_PER_TOKEN} input features is rounded to nearest: a Gram matrix of so low a rank says more
 * of those tokens than of what the expert will meet.
 *
 * @param seen of the stage
 * @param all of the calibration set
 */
record ExpertTokens(Stage stage, long seen, long all) {

    static final int FEATURES_PER_TOKEN = 16;

    /** Whether there are too few. A stage of all tokens has what there is. */
    boolean areTooFew() {
        return stage.expert().isPresent() && seen < needed();
    }

    private long needed() {
        return Math.max(1, stage.in() / FEATURES_PER_TOKEN);
    }

    /** Reports of linears that were rounded to nearest for want of tokens. */
    List<LinearReport> explain(List<LinearReport> reports) {
        String note = "expert " + stage.expert().orElseThrow() + " saw " + seen + " of " + all
                + " calibration tokens, fewer than the " + needed() + " that its " + stage.in()
                + " input features call for; rounded to nearest";
        return reports.stream()
                .map(report -> new LinearReport(report.name(), "rtn", report.error(), 0, report.deadFeatures(), note))
                .toList();
    }
}
