// Owns the first moment: the chosen colours stand before anything is drawn.

import { openTheme } from "./theme.js";

openTheme();
