package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ColumnOrderTest {

    private static final float[] DIAGONAL = {1, 5, 3, 3, 9, 0, 2, 9};

    @Test
    void takesFeaturesAsTheyAre() {
        ColumnOrder order = ColumnOrder.natural(6, 2);

        assertThat(order.order()).containsExactly(0, 1, 2, 3, 4, 5);
        assertThat(order.groups()).containsExactly(0, 0, 1, 1, 2, 2);
        assertThat(order.groupIndex()).containsExactly(0, 0, 1, 1, 2, 2);
        assertThat(order.positions()).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void takesTheMostActiveFirstAndGroupsThemByTurn() {
        ColumnOrder order = ColumnOrder.activation(DIAGONAL, 2);

        assertThat(order.order()).containsExactly(4, 7, 1, 2, 3, 6, 0, 5);
        assertThat(order.groups()).containsExactly(0, 0, 1, 1, 2, 2, 3, 3);
        assertThat(order.groupIndex()).containsExactly(3, 1, 1, 2, 0, 3, 2, 0);
        assertThat(order.positions()).containsExactly(6, 2, 3, 4, 0, 7, 5, 1);
    }

    @Test
    void takesTheMostActiveFirstAndKeepsGroupsOfNeighbours() {
        ColumnOrder order = ColumnOrder.activationWithStaticGroups(DIAGONAL, 4);

        assertThat(order.order()).containsExactly(4, 7, 1, 2, 3, 6, 0, 5);
        assertThat(order.groups()).containsExactly(1, 1, 0, 0, 0, 1, 0, 1);
        assertThat(order.groupIndex()).containsExactly(0, 0, 0, 0, 1, 1, 1, 1);
    }

    @Test
    void takesTheMostActiveOfEachGroupFirstAndTheGroupWithTheMostActiveFirst() {
        ColumnOrder order = ColumnOrder.groupAware(DIAGONAL, 2);

        // The largest of the groups are 5, 3, 9 and 9; of equals the first comes first.
        assertThat(order.order()).containsExactly(4, 5, 7, 6, 1, 0, 2, 3);
        assertThat(order.groups()).containsExactly(2, 2, 3, 3, 0, 0, 1, 1);
        assertThat(order.groupIndex()).containsExactly(0, 0, 1, 1, 2, 2, 3, 3);
        assertThat(order.positions()).containsExactly(5, 4, 6, 7, 0, 1, 3, 2);
    }

    @Test
    void isTheSameAsActOrderWithinOneGroup() {
        ColumnOrder groupAware = ColumnOrder.groupAware(DIAGONAL, DIAGONAL.length);

        assertThat(groupAware).usingRecursiveComparison().isEqualTo(ColumnOrder.activation(DIAGONAL, DIAGONAL.length));
        assertThat(groupAware.groupIndex()).containsOnly(0);
    }

    @Test
    void keepsTheOrderOfFeaturesThatAreEquallyActive() {
        ColumnOrder order = ColumnOrder.activation(new float[] {2, 2, 2, 2, 2}, 5);

        assertThat(order.order()).containsExactly(0, 1, 2, 3, 4);
    }
}
