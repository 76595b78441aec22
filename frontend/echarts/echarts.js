// The parts of ECharts that the dashboard draws with, as the global `echarts` that the dashboard calls.
import * as core from "echarts/core";
import { BarChart, LineChart, PieChart } from "echarts/charts";
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
} from "echarts/components";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

core.use([
  AriaComponent,
  BarChart,
  CanvasRenderer,
  DataZoomComponent,
  GridComponent,
  LabelLayout,
  LegendComponent,
  LineChart,
  PieChart,
  TooltipComponent,
]);

// Only what is called: the whole namespace would defeat the tree shaking.
window.echarts = { init: core.init, getInstanceByDom: core.getInstanceByDom };
