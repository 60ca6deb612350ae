// Owns the types of the server's responses, as described in src/impasto/web/README.md. There is no code here.

/**
 * @typedef {object} Tiles
 * @property {number} size
 * @property {number} levels
 * @property {string} url  with {level}, {x} and {y}; level 0 is full size
 *
 * @typedef {object} Picture
 * @property {string} ref
 * @property {string} id
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {string} url
 * @property {string} thumbnail_url
 * @property {string} [format]
 * @property {number} [bytes]
 * @property {Tiles | null} [tiles]
 * @property {string[]} [notes]
 * @property {Recipe | null} [recipe]
 * @property {string} [title]
 * @property {string} [author]
 * @property {"photo" | "painting"} [kind]
 * @property {number} [weight]
 *
 * @typedef {object} Recipe
 * @property {Record<string, any>} settings
 * @property {Record<string, any>} changed
 * @property {{name: string, ref: string | null}} content
 * @property {{name: string, ref: string | null}[]} styles
 * @property {{name: string, ref: string | null}[]} [masks]
 * @property {{name: string, ref: string | null} | null} [content_map]
 *
 * @typedef {object} Setting
 * @property {string} name
 * @property {string} group
 * @property {"integer" | "number" | "choice" | "text" | "layers" | "shares"} type
 * @property {string} meaning
 * @property {string} unit
 * @property {string} range
 * @property {any} default
 * @property {number | null} low
 * @property {number | null} high
 * @property {string[]} choices
 * @property {string[]} words
 * @property {boolean} open_ended
 * @property {boolean} live
 *
 * @typedef {object} Preset
 * @property {string} name
 * @property {string} description
 * @property {Record<string, any>} values
 *
 * @typedef {object} Progress
 * @property {number} scale
 * @property {number} scales
 * @property {[number, number]} size
 * @property {number} iteration
 * @property {number} iterations
 * @property {number} step
 * @property {number} fraction
 * @property {number} seconds
 * @property {number | null} seconds_left
 * @property {number} loss
 * @property {Record<string, number>} losses
 *
 * @typedef {object} Preview
 * @property {string} url
 * @property {number} version
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} ResultFields
 * @property {number} seconds
 * @property {boolean} stopped
 * @property {number} step
 * @typedef {Picture & ResultFields} Result
 *
 * @typedef {object} Problem
 * @property {string} type
 * @property {string} title
 * @property {number} status
 * @property {string} [detail]
 * @property {string} [setting]
 * @property {{field: string, message: string}[]} [errors]
 * @property {number} [retry_after]
 *
 * @typedef {"queued" | "running" | "succeeded" | "failed" | "canceled"} State
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {State} state
 * @property {boolean} paused
 * @property {boolean} stopping
 * @property {number | null} position
 * @property {string} name
 * @property {string} created
 * @property {string | null} started
 * @property {string | null} finished
 * @property {Picture} content
 * @property {Picture[]} styles
 * @property {Picture[]} masks
 * @property {Picture[]} style_masks
 * @property {Picture | null} content_map
 * @property {string} preset
 * @property {Record<string, any>} settings
 * @property {Record<string, any>} recipe_settings
 * @property {Record<string, any>} changed
 * @property {string[]} warnings
 * @property {Progress | null} progress
 * @property {Preview | null} preview
 * @property {Result | null} result
 * @property {Problem | null} error
 * @property {number} attempts
 * @property {boolean} starred
 * @property {boolean} deleted
 * @property {string | null} parent
 * @property {{id: string, row: number, column: number, label: string, values?: Record<string, any>} | null} sweep
 * @property {string[]} actions
 *
 * @typedef {{paused: boolean, order: string[], running: string[]}} Queue
 * @typedef {{step: number, scale: number, size: [number, number], iteration: number, loss: number, losses: Record<string, number>, changed?: string[]}} LossPoint
 * @typedef {{setting: string, values: any[]}} Axis
 * @typedef {{id: string, axes: Axis[], rows: number, columns: number, created: string, jobs: Job[][], done: number, total: number, sheet: {url: string} | null}} Sweep
 * @typedef {{seconds: number | null, memory_bytes: number, fits: boolean, size: [number, number], warnings: string[]}} Estimate
 * @typedef {{versions: {impasto: string}, limits: Record<string, any>, fast?: {available: boolean, models: any[]}, device?: any}} System
 */

export {};
