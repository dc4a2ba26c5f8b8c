"""Train a network on MNIST, test it once and save it: python notebooks/whole_program.py"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

EPOCHS, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 3, 64, 0.01, 0.5  # (1) one name each


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc1_drop = nn.Dropout()  # (4) a layer, which model.eval() switches off
        self.fc2 = nn.Linear(50, 10)

    def forward(self, images):  # (2) the comments match the code (3) and promise no more
        x = F.relu(F.max_pool2d(self.conv1(images), 2))  # pool, then ReLU: [N, 10, 12, 12]
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))  # [N, 20, 4, 4]
        x = self.fc1_drop(F.relu(self.fc1(x.flatten(1))))  # [N, 50]
        return F.log_softmax(self.fc2(x), dim=1)  # (5) dim=1, the ten classes: [N, 10]


def train_epoch(model, loader, optimizer):
    model.train()
    total = seen = 0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()
        seen += len(labels)  # (6) counted, so that any batch size is right
        total += loss.item() * len(labels)
    return total / seen


@torch.inference_mode()  # (9) records nothing for gradients, so .data is not needed
def evaluate(model, loader):
    model.eval()
    loss = correct = 0
    for images, labels in loader:
        log_probs = model(images)
        loss += F.nll_loss(log_probs, labels, reduction="sum").item()  # (8) the new option
        correct += (log_probs.argmax(dim=1) == labels).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)  # dataset: all its images


torch.manual_seed(1)
scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train_set = datasets.MNIST(root="data", train=True, download=True, transform=scale)
test_set = datasets.MNIST(root="data", train=False, download=True, transform=scale)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
for epoch in range(1, EPOCHS + 1):
    loss = train_epoch(model, DataLoader(train_set, BATCH_SIZE, shuffle=True), optimizer)
    print(f"epoch {epoch}: train loss {loss:.4f}")
loss, accuracy = evaluate(model, DataLoader(test_set, batch_size=1000))  # (10) once, at the end
print(f"test loss {loss:.4f}, accuracy {accuracy:.2%}")
Path("artifacts").mkdir(exist_ok=True)
torch.save(model.state_dict(), "artifacts/whole_program.pt")  # (7) all weights, saved once
