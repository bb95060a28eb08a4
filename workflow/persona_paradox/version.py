"""The version of this project. A leaf: what imports it is made again with every release."""

VERSION = "0.3.0"
