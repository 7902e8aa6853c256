"""What LeetCode gives every Python solution and its tests: imports, list and tree nodes, and the helpers that build and compare them."""

from __future__ import annotations

IMPORTS = """\
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, random, re, string, sys
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from string import *
from typing import *
from builtins import abs, pow
inf = float("inf")
"""
"""Imported before every solution."""

CLASSES = """\
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val = val
        self.left = left
        self.right = right
"""
"""The nodes that solutions and tests share."""

HELPERS = """\
def list_node(values):
    first = None
    for value in reversed(values):
        first = ListNode(value, first)
    return first

def is_same_list(one, other):
    while one is not None and other is not None:
        if one.val != other.val:
            return False
        one, other = one.next, other.next
    return one is None and other is None

def tree_node(values):
    if not values or values[0] is None:
        return None
    root = TreeNode(values[0])
    waiting, rest = [root], iter(values[1:])
    for node in waiting:
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = TreeNode(value)
                setattr(node, side, child)
                waiting.append(child)
    return root

def is_same_tree(one, other):
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if (one is None) != (other is None) or (one is not None and one.val != other.val):
            return False
        if one is not None:
            pairs += [(one.left, other.left), (one.right, other.right)]
    return True

inf = float("inf")
"""
"""The functions by which LeetCodeDataset's tests build arguments and compare results (its rows name them and do not define them)."""
