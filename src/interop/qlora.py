"""Takes one QLoRA training step with PEFT on gpuquant's NF4 checkpoint, on the processor.

Usage: qlora.py GPUQUANT [FOLDER]
"""
import pathlib
import sys

from formats import FORMATS, ROOT, make, missing, windows


def train_one_step(folder):
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu")
    packed = {name: parameter.detach().clone() for name, parameter in model.named_parameters()
              if parameter.dtype == torch.uint8}
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"],
                                             task_type="CAUSAL_LM"))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    tokens = torch.tensor(windows()[:2])

    def loss():
        return model(input_ids=tokens, labels=tokens).loss

    before = loss()
    before.backward()
    gradient = max(float(parameter.grad.abs().max()) for parameter in trained if parameter.grad is not None)
    optimizer.step()
    with torch.no_grad():
        after = loss()
    unchanged = all(torch.equal(packed[name.removeprefix("base_model.model.").replace(".base_layer", "")], parameter)
                    for name, parameter in model.named_parameters() if parameter.dtype == torch.uint8)
    return len(packed), float(before), float(after), gradient, unchanged


def main():
    gpuquant = sys.argv[1]
    work = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "target/interop-output/formats"
    work.mkdir(parents=True, exist_ok=True)
    reason = missing("torch", "transformers", "accelerate", "bitsandbytes", "peft", "tokenizers")
    if reason:
        print(f"not run QLoRA step: {reason}")
        return
    make(gpuquant, work / "nf4-dq", FORMATS["nf4-dq"][0])
    linears, before, after, gradient, unchanged = train_one_step(work / "nf4-dq")
    good = linears > 0 and gradient > 0 and after < before and unchanged
    print(f"{'ok' if good else 'FAILED':7} QLoRA step: {linears} four-bit linears, loss {before:.4f} to {after:.4f}, "
          f"largest gradient {gradient:.2g}, packed weights {'unchanged' if unchanged else 'changed'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
