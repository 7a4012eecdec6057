package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.StageWeights;

/** The devices that calibrate together, as one of them sees the others. All of them must make the same calls. */
interface Peers {

    /** There are no others. */
    Peers NONE = new Peers() {
        @Override
        public Seat seat() {
            return Seat.ALONE;
        }

        @Override
        public void sum(DeviceMatrix matrix) {}

        @Override
        public double[] sum(double... numbers) {
            return numbers;
        }

        @Override
        public void share(StageWeights weights) {}
    };

    /** This device's share of the work. */
    Seat seat();

    /**
     * Adds up what all devices have, in the order of the devices, so that all have the same bits then.
     *
     * @param matrix F32, dense, of the same extents everywhere; becomes the sum
     */
    void sum(DeviceMatrix matrix);

    /**
     * Adds up what all devices have, in the order of the devices, so that all have the same bits then.
     *
     * @param numbers as many everywhere
     * @return the sums
     */
    double[] sum(double... numbers);

    /** Gives all devices the weights that each has made of its {@linkplain Seat#part part}. */
    void share(StageWeights weights);
}
