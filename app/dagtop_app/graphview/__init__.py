"""Drawing a graph of tasks in a terminal: layout, routing, painting and finding the way, without a user interface.

GraphModel --lay_out--> Layout --route--> Routing --> Canvas --line(y, x0, x1)--> runs of text
                           |
                           +--> Overview (one cell per node), Wall (half a cell)
GraphModel --fold--> Folded: a smaller GraphModel, in which some nodes stand for several
"""

from .canvas import Canvas
from .drawing import Drawing, Emphasis, Line, NodeTexts, Part, Rect, Run
from .errors import GraphCycleError, LayoutCancelled, UnknownNodeError
from .folding import Fold, Folded, fold
from .glyphs import ASCII, UNICODE, Glyphs
from .highlight import Highlight
from .layout import Layout, lay_out, pile_up, rescale
from .minimap import Minimap
from .model import GraphModel
from .navigate import Cursor, Direction, first_cursor, move
from .overview import Overview
from .router import Routing, route
from .sizes import Scale, Sizes, suggest_scale
from .wall import Wall

__all__ = [
    "ASCII",
    "UNICODE",
    "Canvas",
    "Cursor",
    "Direction",
    "Drawing",
    "Emphasis",
    "Fold",
    "Folded",
    "Glyphs",
    "GraphCycleError",
    "GraphModel",
    "Highlight",
    "Layout",
    "LayoutCancelled",
    "Line",
    "Minimap",
    "NodeTexts",
    "Overview",
    "Part",
    "Rect",
    "Routing",
    "Run",
    "Scale",
    "Sizes",
    "UnknownNodeError",
    "Wall",
    "first_cursor",
    "fold",
    "lay_out",
    "move",
    "pile_up",
    "rescale",
    "route",
    "suggest_scale",
]
