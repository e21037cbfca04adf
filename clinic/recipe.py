"""What a training is made of: data, network, training, and what it leaves in its folder.

A healthy training has the defaults of what is listed under faults; a fault replaces one or two.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Data:
    """Which samples, and what was done to them.

    Attributes
    ----------
    name : as in `clinic.data.draw`
    train, valid, test : samples of each split
    noise : of the inputs, targets or classes, in the unit of the data set
    prepared : scale inputs and targets as they should be, by what the training split holds
    scale, offset : of the inputs, after that
    target_scale, target_offset : of a regression's targets, after that

    Faults
    ------
    flipped : share of the training labels that are another class
    shuffled : share of the training labels that are those of other samples
    missing : so many classes are not in the training split
    rare : keep this share of the training samples of the last class
    leaked : share of valid and test that are training samples
    ordered : the training samples come class by class
    blank : share of the training samples whose inputs are all zero
    given_raw : what the analysis is given is not prepared as for the training
    """

    name: str
    train: int = 400
    valid: int = 200
    test: int = 200
    noise: float = 0.0
    prepared: bool = True
    scale: float = 1.0
    offset: float = 0.0
    target_scale: float = 1.0
    target_offset: float = 0.0
    flipped: float = 0.0
    shuffled: float = 0.0
    missing: int = 0
    rare: float = 1.0
    leaked: float = 0.0
    ordered: bool = False
    blank: float = 0.0
    given_raw: bool = False


@dataclass(frozen=True, slots=True)
class Training:
    """How the network is trained.

    Attributes
    ----------
    loss : as in torch.nn.functional
    optimiser : "sgd", "momentum", "adam", "adamw" or "rmsprop"
    schedule : "constant", "cosine", "step", "restarts", or "rising" to `lr * peak` at the end
    warm_up : epochs over which the learning rate grows from a tenth
    clip : norm that gradients are clipped to; 0 for none
    weighted : classes weigh in the loss by the inverse of how often they occur
    patience : epochs without a better valid loss after which training stops; 0 for never
    last_jolt : factor on the learning rate in the last epoch's last step
    untrained : layers whose gradients are never asked for: frozen
    pretrained : these layers have learned another task on the same inputs

    Faults
    ------
    start : what happens to the weights before training: "zero", "constant" (to `start_value`),
        "scaled" (by it), "recurrent" (only the recurrent ones are scaled)
    bias : added to the biases of all hidden layers but those of recurrent nets; 0 for none
    bias_of : only of these layers; all if empty
    bias_share : of the units of a layer
    forgotten : layers that the optimiser was not given
    zero_grad : when gradients are set to zero: every "step", every "epoch" or "never"
    skips : steps whose gradients are not finite are left out, as gradient scalers do
    naive : the loss takes the logarithm of the softmax, which may be zero
    """

    loss: str = "cross_entropy"
    optimiser: str = "adam"
    lr: float = 1e-2
    epochs: int = 60
    batch: int = 32
    weight_decay: float = 0.0
    schedule: str = "constant"
    peak: float = 1.0
    warm_up: int = 0
    clip: float = 0.0
    label_smoothing: float = 0.0
    weighted: bool = False
    patience: int = 0
    last_jolt: float = 1.0
    pretrained: bool = False
    start: str = ""
    start_value: float = 1.0
    bias: float = 0.0
    bias_of: tuple[str, ...] = ()
    bias_share: float = 1.0
    untrained: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    zero_grad: str = "step"
    shuffles: bool = True
    skips: bool = False
    naive: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """What lies in the folder of the run afterwards.

    Attributes
    ----------
    log : "savetxt", "csv", "keras", "percent", "jsonl", "trainer", "console" or "steps"
    weights : "bare" for a state_dict, "wrapped" for a dictionary that holds one
    which : "last" or "best" epoch
    initial : whether the weights before training lie there as well
    data : "npz", or "py" for a function that reads arrays
    names_loss : whether `kashika.toml` names the loss
    frozen : patterns of parameters that `kashika.toml` says are frozen on purpose
    only_logs : nothing but the logs

    Faults
    ------
    stale : share of the training after which the weights were saved; 1 is the end
    nonfinite : share of the first weight's entries that are NaN in the file
    zeroed : layers that are zero in the file
    duplicate : the valid series is the training's
    cut : the log ends before the first value that is not finite
    """

    log: str = "csv"
    weights: str = "bare"
    which: str = "last"
    initial: bool = False
    data: str = "npz"
    names_loss: bool = False
    frozen: tuple[str, ...] = ()
    only_logs: bool = False
    stale: float = 1.0
    nonfinite: float = 0.0
    zeroed: tuple[str, ...] = ()
    duplicate: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of a training but its seed.

    Attributes
    ----------
    network : a call of a class in `clinic.networks`, with literals as arguments
    """

    data: Data
    network: str
    training: Training = field(default_factory=Training)
    left: Left = field(default_factory=Left)
