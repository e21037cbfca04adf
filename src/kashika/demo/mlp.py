"""The network of the demo: a multi-layer perceptron with two hidden layers."""

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear, activation, linear, activation, linear."""

    def __init__(
        self, input_dim: int, hidden_dim: int, output_dim: int, activation: str = "ReLU"
    ) -> None:
        super().__init__()
        self.layer_in = nn.Linear(input_dim, hidden_dim)
        self.layer_hidden = nn.Linear(hidden_dim, hidden_dim)
        self.layer_out = nn.Linear(hidden_dim, output_dim)
        self.act: nn.Module = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Return the (n, output_dim) logits for (n, input_dim) inputs."""
        h = self.act(self.layer_in(x))
        h = self.act(self.layer_hidden(h))
        logits: Tensor = self.layer_out(h)
        return logits
