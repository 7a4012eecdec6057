package io.gpuquant.llamacpp;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import io.gpuquant.gguf.Dequantizer;
import io.gpuquant.gguf.GgufSet;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A model in GGUF files, seen as the checkpoint that it was made from: its tensors have the checkpoint's names and values. */
public final class GgufModel implements AutoCloseable {

    /** Tensors that the configuration has been read from. */
    private static final Set<String> OF_CONFIGURATION =
            Set.of("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight");

    private final GgufSet set;
    private final ModelStructure structure;
    private final Map<String, Tensor> tensors = new HashMap<>();

    private GgufModel(GgufSet set, ModelStructure structure) {
        this.set = set;
        this.structure = structure;
    }

    /**
     * Opens a file, or all files of a set.
     *
     * @throws InputException when it is damaged, or holds no model that gpuquant computes
     */
    public static GgufModel open(Path path) {
        GgufSet set = GgufSet.open(path);
        try {
            GgufModel model = new GgufModel(set, ModelStructure.of(GgufConfig.read(set)));
            model.addTensors();
            return model;
        } catch (Throwable e) {
            set.close();
            throw e;
        }
    }

    private void addTensors() {
        List<TensorInfo> expected = new ArrayList<>();
        for (ModelStructure.Expected tensor :
                structure.tensors().stream().distinct().toList()) {
            Shape shape = tensor.rows() == 1 ? Shape.of(tensor.columns()) : Shape.of(tensor.rows(), tensor.columns());
            expected.add(new TensorInfo(tensor.name(), DType.F32, shape, 0, DType.F32.bytes(shape.elementCount())));
        }
        Set<String> unused = new HashSet<>();
        set.tensors().forEach(tensor -> unused.add(tensor.name()));
        unused.removeAll(OF_CONFIGURATION);
        for (TensorRecipe recipe : TensorMap.of(config(), expected)) {
            if (!(recipe.content() instanceof Content.Computed)) {
                GgufTensor tensor = stored(recipe);
                unused.remove(tensor.name());
                List<String> sources = recipe.sources();
                for (int matrix = 0; matrix < sources.size(); matrix++) {
                    tensors.put(sources.get(matrix), new Tensor(tensor, recipe.content(), matrix));
                }
            }
        }
        unused.stream().sorted().findFirst().ifPresent(name -> {
            throw new InputException(set.first().path() + " has the tensor " + Quoted.text(name)
                    + ", which gpuquant does not know in a model of this architecture, so it would compute another");
        });
    }

    private GgufTensor stored(TensorRecipe recipe) {
        GgufTensor tensor = set.find(recipe.name())
                .orElseThrow(() -> new InputException(set.first().path() + " has no tensor " + recipe.name()
                        + ", which its metadata call for; get the file again"));
        if (!tensor.extents().equals(recipe.extents())) {
            throw new InputException(set.fileOf(tensor).path() + ": " + tensor.name() + " has shape " + tensor.shape()
                    + ", but the metadata call for " + recipe.extents().reversed() + "; get the file again");
        }
        return tensor;
    }

    /** The files. */
    public GgufSet set() {
        return set;
    }

    /** What the model is. */
    public ModelStructure structure() {
        return structure;
    }

    /** What its config.json would say. */
    public ModelConfig config() {
        return structure.config();
    }

    /** A tensor by the name it has in a checkpoint. */
    public Optional<Tensor> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    /** A tensor of a checkpoint, in whatever form it is stored. */
    public final class Tensor {

        private final GgufTensor stored;
        private final Content content;
        private final int matrix;

        private Tensor(GgufTensor stored, Content content, int matrix) {
            this.stored = stored;
            this.content = content;
            this.matrix = matrix;
        }

        /** How it is stored. */
        public GgufTensor stored() {
            return stored;
        }

        /** Rows of the checkpoint's tensor; one for a vector. */
        public int rows() {
            return stored.extents().size() == 1
                    ? 1
                    : Math.toIntExact(stored.extents().get(1));
        }

        /** Columns. */
        public int columns() {
            return Math.toIntExact(stored.rowLength());
        }

        /**
         * Computes a row of the checkpoint's tensor.
         *
         * @param target gets the row
         */
        public void read(int row, float[] target) {
            boolean isVector = stored.extents().size() == 1;
            int fileRow = content instanceof Content.PermutedHeads permuted && !isVector
                    ? permuted.fileRow(row, rows())
                    : row;
            long rowBytes = stored.type().bytes(columns());
            long at = ((long) matrix * rows() + fileRow) * rowBytes;
            Dequantizer.dequantize(stored.type(), set.data(stored).asSlice(at, rowBytes), target);
            if (content instanceof Content.PlusOne) {
                for (int i = 0; i < target.length; i++) {
                    target[i] -= 1;
                }
            }
            if (content instanceof Content.PermutedHeads permuted && isVector) {
                float[] inFile = target.clone();
                for (int i = 0; i < target.length; i++) {
                    target[i] = inFile[permuted.fileRow(i, target.length)];
                }
            }
        }
    }

    @Override
    public void close() {
        set.close();
    }
}
