package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.StageWeights;
import java.util.Optional;

/** The devices that calibrate together, as one of them sees the others. All of them must make the same calls. */
interface Peers {

    /** There are no others. */
    Peers NONE = new Peers() {
        @Override
        public void sum(DeviceMatrix matrix) {}

        @Override
        public Optional<StageWeights> part(StageWeights weights) {
            return Optional.of(weights);
        }

        @Override
        public void share(StageWeights weights) {}
    };

    /**
     * Adds up what all devices have, in the order of the devices, so that all have the same bits then.
     *
     * @param matrix F32, dense, of the same extents everywhere; becomes the sum
     */
    void sum(DeviceMatrix matrix);

    /** The linears of a stage that this device quantizes, if there are any; every linear is one device's. */
    Optional<StageWeights> part(StageWeights weights);

    /** Gives all devices the weights that each has made of its part. */
    void share(StageWeights weights);
}
